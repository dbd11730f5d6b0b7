#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# layer_image_test.sh BUILD_DIR: layer images beside the tree that their tar was made of, as the kernel,
# fsck.erofs and veritysetup read them. Needs root (loop mounts). Beside containerd's own unpacker:
# snapshotter_test.sh.
set -euo pipefail
build=$(realpath "$1")
ctl=$build/shim/ctl/kata-ccctl
work=$(mktemp -d "${TMPDIR:-/tmp}/layer-image.XXXXXX")
cleanup() {
  mountpoint -q "$work/mnt" && umount "$work/mnt"
  rm -rf "$work"
}
trap cleanup EXIT
mkdir "$work/tree" "$work/mnt" "$work/out" "$work/plain"

say() { printf '== %s\n' "$*" >&2; }

# shellcheck source=tests/e2e/describe.sh
. "$(dirname "$0")/describe.sh"

say "a tree with everything a layer can hold"
(
  cd "$work/tree"
  mkdir -p etc usr/bin "a directory" "deep/$(printf 'd%.0s' {1..200})"
  head -c 3000000 /dev/urandom >usr/bin/tool
  chmod 4755 usr/bin/tool
  ln usr/bin/tool usr/bin/tool-again
  ln -s ../usr/bin/tool etc/link
  ln -s "$(printf 'x/%.0s' {1..1500})y" etc/long-link
  setcap cap_net_raw+ep usr/bin/tool
  setfattr -n user.note -v hello etc
  echo text >"etc/$(printf 'n%.0s' {1..255})"
  chown 70000:4000000000 etc/link etc/n*
  chown -h 123456:7 etc/link
  touch -d '2001-02-03 04:05:06.123456789' etc/n* etc/link -h
  touch -d '2150-01-01' "a directory"
  mknod dev-c c 1 3
  mknod dev-b b 259 70000
  mkfifo pipe
  truncate -s 100M sparse
  printf middle | dd of=sparse bs=1 seek=50000000 conv=notrunc status=none
  for i in $(seq 3000); do head -c $((i * 7 % 5000)) /dev/urandom >"deep/f$i"; done
  mkdir many && (cd many && seq 2000 | sed 's/$/-a-name-of-some-length/' | xargs touch)
  printf 'caf\xc3\xa9' >$'caf\xc3\xa9'
  chmod 1777 .
)
tar_of() { tar --xattrs --xattrs-include='*' -C "$work/tree" "$@" .; }
tar_of --format=pax --sparse -cf "$work/pax.tar"
# The same by GNU headers, in another order, has whole seconds only; so both get these first.
describe "$work/tree" >"$work/expected"

say "kata-ccctl writes the image; kernel, veritysetup and fsck.erofs read it"
check() {
  local tar=$1 expected=$2
  "$ctl" layer hash --json --output "$work/out" "$tar" >"$work/result.json"
  local blocks root image=$work/out/0.layer
  blocks=$(jq -r '.[0].data_blocks' "$work/result.json")
  root=$(jq -r '.[0].root_hash' "$work/result.json")
  veritysetup verify --no-superblock --data-block-size=4096 --hash-block-size=4096 \
    --hash-offset=$((blocks * 4096)) --data-blocks="$blocks" --salt="$(printf '0%.0s' {1..64})" \
    "$image" "$image" "$root"
  fsck.erofs --extract "$image" >/dev/null
  mount -o loop,ro -t erofs "$image" "$work/mnt"
  describe "$work/mnt" >"$work/got"
  umount "$work/mnt"
  diff -u "$expected" "$work/got" >"$work/diff" || { head -n 40 "$work/diff"; exit 1; }
}
check "$work/pax.tar" "$work/expected"
first=$(jq -r '.[0].root_hash' "$work/result.json")

say "other writers, orders and compressions give the same root hash"
same() {
  local root
  root=$("$ctl" layer hash --json "$1" | jq -r '.[0].root_hash')
  [[ $root == "$first" ]] || { echo "$1: $root, not $first" >&2; exit 1; }
}
gzip -1 -c "$work/pax.tar" >"$work/pax.tar.gz"
zstd -q -3 "$work/pax.tar" -o "$work/pax.tar.zst"
(cd "$work/tree" && find . -print0 | LC_ALL=C sort -rz >"$work/names")
tar --xattrs --xattrs-include='*' --format=pax -b 100 --no-recursion -C "$work/tree" \
  --null -T "$work/names" -cf "$work/reverse.tar" 2>/dev/null
bsdtar --format=pax -C "$work/tree" -cf "$work/bsd.tar" . 
for file in pax.tar.gz pax.tar.zst reverse.tar bsd.tar; do same "$work/$file"; done

say "a bar on a terminal, and only there"
output=$(TERM=dumb script -qec "'$ctl' layer hash '$work/pax.tar'" /dev/null)
[[ $output == *"layer 1 of 1 ["*"] "*" of "*" MiB"*"$first"* ]] || { echo "no bar: $output" >&2; exit 1; }
[[ -z $("$ctl" layer hash "$work/pax.tar" 2>&1 >/dev/null) ]]

say "a flipped bit of data or tree is found by veritysetup"
blocks=$(jq -r '.[0].data_blocks' "$work/result.json")
for at in 1100 $((blocks * 2048)) $((blocks * 4096 + 5)) $((blocks * 4096 + 8192)); do
  cp "$work/out/0.layer" "$work/bad"
  byte=$(dd if="$work/bad" bs=1 skip=$at count=1 status=none | od -An -tu1)
  # shellcheck disable=SC2059 # the escape is the format
  printf "\\x$(printf %x $((byte ^ 1)))" | dd of="$work/bad" bs=1 seek=$at conv=notrunc status=none
  if veritysetup verify --no-superblock --hash-offset=$((blocks * 4096)) --data-blocks="$blocks" \
    --salt="$(printf '0%.0s' {1..64})" "$work/bad" "$work/bad" "$first" 2>/dev/null; then
    echo "a flipped bit at $at was not found" >&2
    exit 1
  fi
done
say "passed"
