#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the guest image: build.sh [--debug] [--pinned MANIFEST] AGENT SECRETS OUTPUT_DIR, of the programs kata-cc-agent
# and kata-cc-secrets.
# OUTPUT_DIR gets vmlinuz, initrd.img, cmdline, manifest.json and sbom.spdx.json. With OVMF=FILE and
# KATA_CCCTL=PROGRAM in the environment the manifest has the launch digests, too. The kernel, its modules and crun are
# those of the installed Debian packages; the same packages and agent give the same bytes, whatever
# the directory and the time. There is no shell and nothing else in it that is not listed here, unless
# --debug: that image has busybox and a root shell on port 1026, and is for no pod with a secret. With --pinned it takes
# no package but in the version that MANIFEST, of the release that is built again, has.
set -euo pipefail
export LC_ALL=C
umask 022
debug='' pinned=''
[[ ${1:-} == --debug ]] && { debug=yes; shift; }
[[ ${1:-} == --pinned && $# -gt 1 ]] && { pinned=$(realpath "$2"); shift 2; }
[[ $# -eq 3 ]] || { echo "usage: build.sh [--debug] [--pinned MANIFEST] AGENT SECRETS OUTPUT_DIR" >&2; exit 2; }
agent=$(realpath "$1")
secrets=$(realpath "$2")
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$3"
output=$(realpath "$3")

die() { echo "build.sh: $*" >&2; exit 1; }

# Loaded in this order: at boot, or GROUP: when the agent needs that. `?`: the machine may not have the
# device. Names, without the suffix.
modules=(?sha256-ssse3 virtio_blk net:virtio_net erofs:erofs squashfs:squashfs overlay:overlay verity:dm-verity snp:?sev-guest
  vsock:?vmw_vsock_virtio_transport encryption:?aesni-intel encryption:xts encryption:authenc encryption:dm-crypt
  encryption:dm-integrity)

for program in "$agent" "$secrets"; do
  [[ -x $program ]] || die "$program: no such program"
  [[ $(file --brief "$program") == *static* ]] || die "$program: not statically linked"
done
kernel=$("$here/../../tests/setup/guest-kernel.sh")
kernel=${kernel#/boot/vmlinuz-}
image_package=linux-image-$kernel

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$root"/{dev,etc,lib/modules,proc,run,sys,tmp,usr/bin,var}
: >"$work/files" # "path in the image<TAB>package<TAB>version" a line

package_of() {  # package_of FILE: the package that installed it, also where /lib is a link to /usr/lib.
  local file=$1 name
  for file in "$file" "$(realpath "$file")" "${file#/usr}" "$(realpath "$file" | sed 's#^/usr##')"; do
    name=$(dpkg-query -S "$file" 2>/dev/null) && break
  done
  [[ $name ]] || die "$1: of no Debian package"
  echo "${name%%:*}"
}
version_of() {  # The first line: one a package, even where a second architecture is installed.
  local versions
  versions=$(dpkg-query -W -f '${Version}\n' "$1")
  echo "${versions%%$'\n'*}"
}
add() {  # add PATH-IN-IMAGE SOURCE MODE PACKAGE VERSION
  install -D -m "$3" "$2" "$root$1"
  printf '%s\t%s\t%s\n' "$1" "$4" "$5" >>"$work/files"
}
add_packaged() {  # add_packaged SOURCE MODE: at the same path as here
  local package
  package=$(package_of "$1")
  add "$1" "$1" "$2" "$package" "$(version_of "$package")"
}

add_own() {  # add_own PATH-IN-IMAGE PROGRAM: the build id is a hash that the paths of the build are part of.
  strip --strip-all --remove-section=.note.gnu.build-id --remove-section=.comment -o "$work/program" "$2"
  add "$1" "$work/program" 755 kata-cc "$(cat "$here/../../VERSION")"
}
if [[ $debug ]]; then
  add_own /usr/bin/kata-cc-agent "$agent"
  add /init "$here/debug-init" 755 kata-cc "$(cat "$here/../../VERSION")"
  add_packaged /bin/busybox 755
else
  add_own /init "$agent"
fi
add_own /usr/bin/kata-cc-secrets "$secrets"

add_packaged /usr/bin/crun 755
add_packaged /sbin/mke2fs 755
# crun's systemd part is of no use here: no-systemd.c says why.
no_systemd=$work/lib/libsystemd.so.0
mkdir "$work/lib"
cc -shared -nostdlib -fPIC -Os -fcf-protection -o "$no_systemd" "$here/no-systemd.c" \
  -Wl,-soname,libsystemd.so.0,--version-script="$here/no-systemd.map",--build-id=none,-z,relro,-z,now,-z,noexecstack
LD_BIND_NOW=1 LD_LIBRARY_PATH=$work/lib /usr/bin/crun --version >/dev/null ||
  die "crun: takes of libsystemd what no-systemd.c has not"
add_own /lib/x86_64-linux-gnu/libsystemd.so.0 "$no_systemd"
while read -r library; do
  [[ $library == "$no_systemd" ]] || add_packaged "$library" 755
done < <(LD_LIBRARY_PATH=$work/lib ldd /usr/bin/crun /sbin/mke2fs | sed -n 's/.*[ \t]\(\/[^ ]*\) (0x.*/\1/p' | sort -u)

# Debian's modules are compressed; the signature that the kernel checks is inside.
list=$work/kata-cc.list
: >"$list"
add_module() {  # add_module FILE PREFIX: after those that it needs; each group lists all of its own
  local name
  name=$(basename "$1" .ko.xz)
  grep -qxF "$2$name.ko" "$list" && return
  echo "$2$name.ko" >>"$list"
  [[ -e $work/$name.ko ]] && return
  xz --decompress --stdout "$1" >"$work/$name.ko"
  add "/lib/modules/$name.ko" "$work/$name.ko" 644 "$image_package" "$(version_of "$image_package")"
}
for module in "${modules[@]}"; do
  prefix=
  [[ $module == *:* ]] && prefix="@${module%%:*} "
  module=${module#*:}
  [[ $module == \?* ]] && prefix+="?"
  module=${module#\?}
  depends=$(modprobe --set-version "$kernel" --show-depends "$module" 2>/dev/null) ||
    die "module $module: not in $image_package"
  while read -r verb file _; do
    # What is faster on some CPUs comes only by name; the generic code is built in.
    [[ $verb == insmod && ($file != */arch/x86/crypto/* || $file == */"$module".ko*) ]] && add_module "$file" "$prefix"
  done <<<"$depends"
done
add /lib/modules/kata-cc.list "$list" 644 kata-cc "$(cat "$here/../../VERSION")"

packages_of() {  # "package version" a line, of a manifest
  sed -n 's/.*"package": "\([^"]*\)", "version": "\([^"]*\)".*/\1 \2/p' "$1" | sort -u
}
if [[ $pinned ]]; then
  packages_of "$pinned" >"$work/pinned"
  [[ -s $work/pinned ]] || die "$pinned: a manifest with no packages"
  (cut -f2,3 "$work/files"; printf '%s\t%s\n' "$image_package" "$(version_of "$image_package")") |
    tr '\t' ' ' | sort -u >"$work/here"
  { diff "$work/pinned" "$work/here" || true; } | sed -n 's/^</build.sh: pinned:/p; s/^>/build.sh: here:  /p' >"$work/others"
  [[ ! -s $work/others ]] || { cat "$work/others" >&2; die "other packages than in $pinned"; }
fi

find "$root" -exec touch --no-dereference --date=@0 {} +
(cd "$root" && find . -mindepth 1 -print | sort |
  cpio --quiet --create --format=newc --reproducible --owner=0:0) >"$work/initrd.cpio"
# The legacy frame is the one that the kernel reads. lz4 and not zstd: see docs/guest-image.md.
lz4 -q -l -12 "$work/initrd.cpio" "$work/initrd.img"
cp "/boot/vmlinuz-$kernel" "$work/vmlinuz"
cp "$here/cmdline" "$work/cmdline"

digest() { sha256sum "$1" | cut -d' ' -f1; }
"$here/sbom.sh" "$root" "$work/files" "$image_package" "$(digest "$work/initrd.img")" >"$work/sbom.spdx.json"
{
  printf '{\n'
  [[ $debug ]] && printf '  "debug": true,\n'
  printf '  "files": [\n'
  sort "$work/files" | while IFS=$'\t' read -r path package version; do
    printf '    {"path": "%s", "sha256": "%s", "size": %s, "package": "%s", "version": "%s"},\n' \
      "$path" "$(digest "$root$path")" "$(stat -c %s "$root$path")" "$package" "$version"
  done | sed '$ s/,$//'
  printf '  ],\n  "kernel": {"sha256": "%s", "package": "%s", "version": "%s"},\n' \
    "$(digest "$work/vmlinuz")" "$image_package" "$(version_of "$image_package")"
  printf '  "initrd": {"sha256": "%s", "size": %s},\n' "$(digest "$work/initrd.img")" \
    "$(stat -c %s "$work/initrd.img")"
  printf '  "cmdline": {"sha256": "%s"},\n' "$(digest "$work/cmdline")"
  printf '  "sbom": {"sha256": "%s"}\n}\n' "$(digest "$work/sbom.spdx.json")"
} >"$work/manifest.json"
if [[ ${OVMF:-} ]]; then
  "${KATA_CCCTL:?is needed with OVMF}" image measure "$work" --ovmf "$OVMF"
fi

size=$(stat -c %s "$work/initrd.img")
((size <= 16 << 20)) || die "initrd: $size bytes, more than 16 MiB"
for file in vmlinuz initrd.img cmdline sbom.spdx.json manifest.json; do
  install -m 644 "$work/$file" "$output/.$file.new"
  mv "$output/.$file.new" "$output/$file"
done
[[ $debug ]] && echo "build.sh: $output: A DEBUG IMAGE: its guests are open to whoever reaches them" >&2
echo "build.sh: $output: initrd $size bytes, sha256 $(digest "$output/initrd.img")" >&2
