#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent's container tests as PID 1 of a machine of their own (QEMU, the guest's kernel): memory
# limits and OOM, device mapper, layers that the host tampered with, encrypted disks.
# agent_guest_test.sh TEST-BINARY KATA-CC-CTL [gtest option...]
set -Eeuo pipefail
trap 'echo "agent_guest_test.sh: line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
here=$(cd "$(dirname "$0")" && pwd)
test_binary=$(realpath "$1")
ctl=$(realpath "$2")
shift 2

work=$(mktemp -d /tmp/kata-cc-guest.XXXXXX)
trap 'rm -rf "$work"' EXIT
say() { printf '== %s\n' "$*" >&2; }
kernel=$("$here/../setup/guest-kernel.sh")
version=${kernel#/boot/vmlinuz-}

say "disks: a busybox image, two layers, and layers that were tampered with"
mkdir -p "$work"/{busybox/{bin,dev,etc,proc,sys,tmp},upper/one,disks}
cp /bin/busybox "$work/busybox/bin/"
for applet in cat dd echo head hostname id kill ls mknod mount ps seq sh sleep stty test true tty \
  yes grep readlink wc; do
  ln -s busybox "$work/busybox/bin/$applet"
done
gensquashfs --quiet --pack-dir "$work/busybox" "$work/disks/busybox"
cp -a "$work/busybox" "$work/lower"
mkdir "$work/lower/one"
echo "of the lower" | tee "$work/lower/one/file" >"$work/lower/two"
echo "soon gone" >"$work/lower/gone"
head -c 300000 /dev/zero | tr '\0' M >"$work/lower/marked" # More than one block, and easy to find.
echo "of the upper" >"$work/upper/one/file"
: >"$work/upper/.wh.gone"
: >"$work/layers"
layers=(upper lower)
if [[ ${GUEST_BENCH_MIB:-} ]]; then  # A layer with one large file, for tests/bench/layer_pod.sh.
  layers+=(bench)
  mkdir "$work/bench"
  head -c "${GUEST_BENCH_MIB}M" /dev/urandom >"$work/bench/file"
fi
for name in "${layers[@]}"; do
  mkdir "$work/$name.out"
  tar -C "$work/$name" -cf "$work/$name.tar" .
  "$ctl" layer hash --json --output "$work/$name.out" "$work/$name.tar" >"$work/$name.json"
  cp "$work/$name.out/0.layer" "$work/disks/$name"
  jq -r --arg name "$name" '.[0] | "\($name) \(.root_hash) \(.data_blocks)"' "$work/$name.json" >>"$work/layers"
done
blocks=$(awk '$1 == "lower" { print $3 }' "$work/layers")

flip() {  # flip FILE OFFSET: one bit
  local byte
  byte=$(dd if="$1" bs=1 skip="$2" count=1 status=none | od -An -tu1)
  # shellcheck disable=SC2059 # the escape is the format
  printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
for name in badsuper badtree baddata short; do cp "$work/disks/lower" "$work/disks/$name"; done
flip "$work/disks/badsuper" 1100
flip "$work/disks/badtree" $((blocks * 4096 + 8))
marked=$(grep -abo MMMMMMMM "$work/disks/baddata" | sed -n '1000s/:.*//p')
flip "$work/disks/baddata" "$marked"
truncate -s $((blocks * 4096)) "$work/disks/short"

say "the machine: kernel $version, crun, the tests"
root=$work/root
mkdir -p "$root"/{dev,etc,lib/modules,proc,run,sys,tmp,usr/bin,var}
strip -o "$root/init" "$test_binary"
cp "$work/layers" "$root/layers"
for program in /usr/bin/crun /sbin/mke2fs; do
  install -D "$program" "$root$program"
  while read -r library; do
    install -D "$library" "$root$library"
  done < <(ldd "$program" | sed -n 's/.*[ \t]\(\/[^ ]*\) (0x.*/\1/p')
done
# As in the image: SHA-256 by the CPU's instructions, where it has them.
xz --decompress --stdout "/lib/modules/$version/kernel/arch/x86/crypto/sha256-ssse3.ko.xz" \
  >"$root/lib/modules/sha256-ssse3.ko"
echo '?sha256-ssse3.ko' >"$root/lib/modules/kata-cc.list"
for module in virtio_blk erofs squashfs overlay dm-verity xts authenc dm-crypt dm-integrity; do
  modprobe --set-version "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
done | grep -v /arch/x86/crypto/ | awk '!seen[$0]++' | while read -r file; do
  name=$(basename "$file" .ko.xz)
  xz --decompress --stdout "$file" >"$root/lib/modules/$name.ko"
  echo "$name.ko" >>"$root/lib/modules/kata-cc.list"
done
mknod "$root/dev/console" c 5 1
(cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc | gzip -1) >"$work/initrd.img"

disks=()
for disk in "$work"/disks/*; do
  truncate -s %512 "$disk"
  name=$(basename "$disk")
  disks+=(-drive "if=none,id=$name,format=raw,readonly=on,file=$disk"
    -device "virtio-blk-pci,drive=$name,serial=$name")
done
# Disks for content of the guest's own: nothing on them, and one that is large only by name.
for disk in large=1T volume=256M small=64M changed=64M tiny=4M; do
  truncate -s "${disk#*=}" "$work/${disk%=*}"
  disks+=(-drive "if=none,id=${disk%=*},format=raw,file=$work/${disk%=*}"
    -device "virtio-blk-pci,drive=${disk%=*},serial=${disk%=*}")
done
arguments=
for option in "$@"; do arguments+=" $option"; done
accelerator=tcg
grep -qE 'svm|vmx' /proc/cpuinfo && [[ -w /dev/kvm ]] && accelerator=kvm
say "boot ($accelerator)"
timeout "${GUEST_TIMEOUT:-900}" qemu-system-x86_64 -machine q35,accel=$accelerator -cpu max -m 1024 -smp 1 \
  -nodefaults -nographic -no-reboot -serial stdio -kernel "$kernel" -initrd "$work/initrd.img" \
  -append "console=ttyS0 quiet panic=-1 -- --gtest_color=no$arguments" "${disks[@]}" \
  </dev/null | tee "$work/output" | tr -d '\r'
grep -q '^guest tests: exit 0' "$work/output" || { echo "the guest's tests failed" >&2; exit 1; }
holds() {  # holds FILE TEXT: in what is written of it, for one of them is a TiB of holes
  python3 - "$1" "$2" <<'EOF'
import os, sys
text, at = sys.argv[2].encode(), 0
with open(sys.argv[1], "rb") as file:
    while True:
        try:
            at = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError:
            sys.exit(1)
        end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
        if text in os.pread(file.fileno(), end - at, at):
            sys.exit(0)
        at = end
EOF
}
printf 'NEEDLE-OF-THE-GUEST' | dd of="$work/tiny" bs=1M seek=2 conv=notrunc status=none
holds "$work/tiny" NEEDLE-OF-THE-GUEST || { echo "plain text would not be found" >&2; exit 1; }
# What the containers wrote is not what the host has.
for disk in large volume small changed; do
  used=$(($(stat -c %b "$work/$disk") / 2048))
  [[ $(stat -c %b "$work/$disk") -gt 0 ]] || continue
  say "the disk $disk takes $used MiB of the host's"
  holds "$work/$disk" NEEDLE-OF-THE-GUEST && { echo "$disk: plain text on the host's disk" >&2; exit 1; }
  [[ $disk != large || $used -lt 64 ]] || { echo "$disk: written all over" >&2; exit 1; }
done
