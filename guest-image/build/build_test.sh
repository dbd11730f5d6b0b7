#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build_test.sh STATIC_PROGRAM DYNAMIC_PROGRAM: the image is the same bytes from another directory,
# time and umask, holds what its manifest says and nothing else, and bad agents are refused.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
static=$(realpath "$1")
dynamic=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "build_test.sh: $*" >&2; exit 1; }

"$here/build.sh" "$static" "$work/one"
mkdir -p "$work/elsewhere/deep"
cp "$static" "$work/elsewhere/deep/agent"
(umask 077 && cd "$work/elsewhere" && TZ=Asia/Tokyo "$here/build.sh" deep/agent "$work/two")
for file in vmlinuz initrd.img cmdline manifest.json; do
  cmp "$work/one/$file" "$work/two/$file" || fail "$file: two builds differ"
done

mkdir "$work/root"
lz4 -dc "$work/one/initrd.img" | (cd "$work/root" && cpio --quiet -id)
[[ "$(cd "$work/root" && find . -type f -printf '/%P\n' | LC_ALL=C sort)" == \
  "$(sed -n 's/.*"path": "\([^"]*\)".*/\1/p' "$work/one/manifest.json" | LC_ALL=C sort)" ]] ||
  fail "manifest: does not list what the initrd holds"
sed -n 's/.*"path": "\([^"]*\)", "sha256": "\([^"]*\)".*/\2  .\1/p' "$work/one/manifest.json" >"$work/sums"
(cd "$work/root" && sha256sum --quiet --check "$work/sums") || fail "manifest: a digest is wrong"
[[ -z $(find "$work/root" -name '*sh' -type f -o -name busybox) ]] || fail "a shell is in the image"

"$here/build.sh" "$dynamic" "$work/bad" 2>"$work/error" && fail "a dynamic agent was taken"
grep -q 'not statically linked' "$work/error" || fail "unexpected: $(cat "$work/error")"
"$here/build.sh" "$work/none" "$work/bad" 2>"$work/error" && fail "a missing agent was taken"
[[ ! -e $work/bad/initrd.img ]] || fail "a refused build left an initrd"
