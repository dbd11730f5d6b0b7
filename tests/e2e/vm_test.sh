#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs libvirt_vm_test under a libvirtd of its own: vm_test.sh TEST-BINARY INIT [gtest option...]
set -Eeuo pipefail
trap 'echo "vm_test.sh: line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
here=$(cd "$(dirname "$0")" && pwd)
test_binary=$(realpath "$1")
init=$(realpath "$2")
shift 2

work=$(mktemp -d /tmp/kata-cc-vm.XXXXXX)
trap '"$here/../setup/libvirtd.sh" stop "$work/libvirt" || true; rm -rf "$work"' EXIT

kernel=$("$here/../setup/guest-kernel.sh")
version=${kernel#/boot/vmlinuz-}
mkdir -p "$work/root/dev"
install "$init" "$work/root/init"
cp "/lib/modules/$version/kernel/drivers/block/virtio_blk.ko.xz" "$work/root/"
mknod "$work/root/dev/console" c 5 1
(cd "$work/root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc) >"$work/initrd.img"

KATA_CC_LIBVIRT_URI=$("$here/../setup/libvirtd.sh" start "$work/libvirt")
export KATA_CC_LIBVIRT_URI KATA_CC_KERNEL=$kernel KATA_CC_INITRD=$work/initrd.img
"$test_binary" "$@"
left=$(virsh -q -c "$KATA_CC_LIBVIRT_URI" list --all --name | sed '/^$/d')
[[ -z $left ]] || { echo "domains left: $left" >&2; exit 1; }
