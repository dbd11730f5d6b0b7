#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the Debian packages that a group of make targets needs: packages.sh GROUP...
# Groups: build, lint, fuzz, image, vm, peers. Only what is missing is installed, so a second run costs
# a second. QEMU and libvirt come from bookworm-backports: bookworm's own know no SEV-SNP.
set -euo pipefail

build=(cmake g++ git make ninja-build pkg-config libssl-dev libprotobuf-dev protobuf-compiler
  libgrpc++-dev protobuf-compiler-grpc nlohmann-json3-dev libspdlog-dev libfmt-dev libgtest-dev
  libbenchmark-dev libre2-dev libtomlplusplus-dev libcli11-dev libarchive-dev
  zlib1g-dev libzstd-dev libxml2-utils libyaml-cpp-dev libyaml-dev liblz4-dev)
lint=(clang-format-14 clang-tidy-14 shellcheck)
fuzz=(clang-14 libclang-rt-14-dev)
image=(binutils busybox-static cpio crun e2fsprogs file gcc kmod linux-image-6.12-cloud-amd64 lz4 xz-utils zstd)
vm=(containerd iproute2 mount openssl procps python3 runc squashfs-tools-ng)
backports=(qemu-system-x86 qemu-utils libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
  libvirt-dev)
peers=(attr containernetworking-plugins cryptsetup-bin docker-registry erofs-utils golang-github-containerd-containerd-dev
  golang-github-containerd-ttrpc-dev jq libarchive-tools libcap2-bin python3-grpcio python3-venv squashfs-tools)

say() { printf '== %s\n' "$*" >&2; }

missing() {
  local name installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null) || true
  for name in "$@"; do
    [[ $'\n'$installed$'\n' == *$'\n'"installed $name"$'\n'* ]] || printf '%s\n' "$name"
  done
}

updated=
update_lists() {
  [[ $updated ]] && return
  say "apt-get update"
  apt-get -q update >/dev/null
  updated=yes
}

# The backports suite lives on the mirror that the machine already uses for bookworm.
enable_backports() {
  local list=/etc/apt/sources.list.d/kata-cc-backports.list uri
  [[ $(apt-cache policy) == *bookworm-backports* ]] && return
  # shellcheck disable=SC2016 # apt's own variables
  uri=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 2>/dev/null |
    awk '!found && ($2 == "bookworm" || $2 == "stable") { print $1; found = 1 }')
  [[ $uri ]] || { say "packages: no bookworm mirror among the apt sources"; exit 1; }
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri bookworm-backports main" >"$list"
  updated=
  update_lists
}

install() {
  local wanted
  mapfile -t wanted < <(missing "$@")
  [[ ${#wanted[@]} -eq 0 ]] && return
  update_lists
  say "installing ${wanted[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${wanted[@]}" >/dev/null
}

install_from_backports() {
  local wanted
  mapfile -t wanted < <(missing "$@")
  [[ ${#wanted[@]} -eq 0 ]] && return
  update_lists
  enable_backports
  say "installing from bookworm-backports: ${wanted[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends \
    -t bookworm-backports "${wanted[@]}" >/dev/null
}

[[ $# -gt 0 ]] || { echo "usage: packages.sh build|lint|fuzz|image|vm|peers..." >&2; exit 2; }
if [[ $EUID -ne 0 ]]; then
  echo "packages.sh: must run as root to install packages" >&2
  exit 1
fi
for group in "$@"; do
  case $group in
    build) install_from_backports "${backports[@]}"; install "${build[@]}" ;;
    lint) install "${lint[@]}" ;;
    fuzz) install "${fuzz[@]}" ;;
    image) install "${image[@]}" ;;
    vm)
      # curl in the version of the libcurl4 that QEMU brought.
      install_from_backports "${backports[@]}" curl
      install "${vm[@]}"
      ;;
    peers)
      command -v go >/dev/null || peers+=(golang-go)
      command -v cargo >/dev/null || peers+=(cargo)
      # containerd's sources want it, in the version of the libsystemd0 that libvirt brought.
      install_from_backports libsystemd-dev
      install "${peers[@]}"
      ;;
    *) echo "packages.sh: unknown group: $group" >&2; exit 2 ;;
  esac
done
