#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# build_test.sh STATIC_PROGRAM DYNAMIC_PROGRAM KATA_CCCTL: the image is the same bytes from another directory,
# time and umask, holds what its manifest says and nothing else, and bad agents are refused.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
static=$(realpath "$1")
dynamic=$(realpath "$2")
ctl=$(realpath "$3")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "build_test.sh: $*" >&2; exit 1; }

"$here/build.sh" "$static" "$static" "$work/one"
mkdir -p "$work/elsewhere/deep"
cp "$static" "$work/elsewhere/deep/agent"
(umask 077 && cd "$work/elsewhere" && TZ=Asia/Tokyo "$here/build.sh" --pinned "$work/one/manifest.json" \
  deep/agent deep/agent "$work/two")
for file in vmlinuz initrd.img cmdline sbom.spdx.json manifest.json; do
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

# The bill of materials names each of those files, and a package with a licence for each of them.
python3 - "$work/one" <<'EOF' || fail "sbom: see above"
import json, sys
sbom = json.load(open(sys.argv[1] + "/sbom.spdx.json"))
manifest = json.load(open(sys.argv[1] + "/manifest.json"))
ids = {e["SPDXID"] for e in sbom["packages"] + sbom["files"]} | {"SPDXRef-DOCUMENT"}
assert len(ids) == 1 + len(sbom["packages"]) + len(sbom["files"]), "an id is there twice"
def sums(file): return {c["algorithm"]: c["checksumValue"] for c in file["checksums"]}
listed = {f["fileName"][1:]: sums(f)["SHA256"] for f in sbom["files"]}
assert listed == {f["path"]: f["sha256"] for f in manifest["files"]}, "other files than the manifest's"
packages = {p["name"]: p for p in sbom["packages"]}
for file in manifest["files"] + [manifest["kernel"]]:
    assert packages[file["package"]]["versionInfo"] == file["version"], file
assert all(p["licenseDeclared"] not in ("", "NOASSERTION") for p in sbom["packages"]
           if p["name"] != "kata-cc-guest-image"), "no licence"
contained, made = set(), set()
for r in sbom["relationships"]:
    assert {r["spdxElementId"], r["relatedSpdxElement"]} <= ids, r
    if r["relationshipType"] == "CONTAINS": contained.add(r["relatedSpdxElement"])
    if r["relationshipType"] == "GENERATED_FROM": made.add(r["spdxElementId"])
assert contained == made == {f["SPDXID"] for f in sbom["files"]}, "a file of no package"
EOF

# The auditor's tool finds the same, and sees what a changed byte or an added file is.
"$ctl" image verify "$work/one" || fail "image verify: refuses the image"
"$ctl" image diff "$work/one" "$work/two" || fail "image diff: the same image differs"
"$ctl" image list "$work/one" | grep -q '^/usr/bin/crun .* crun ' || fail "image list: no crun"
cp -r "$work/one" "$work/changed"
(cd "$work/root" && echo evil >usr/bin/evil && find . -mindepth 1 -print | LC_ALL=C sort |
  cpio --quiet --create --format=newc --owner=0:0) | lz4 -q -l >"$work/changed/initrd.img"
if "$ctl" image verify "$work/changed" >"$work/found"; then fail "image verify: took a changed initrd"; fi
grep -q '^/usr/bin/evil: in the initrd, but not in the manifest' "$work/found" || fail "$(cat "$work/found")"

# The debug image says what it is, is another launch, and passes for no release.
"$here/build.sh" --debug "$static" "$static" "$work/debug" 2>"$work/error"
grep -q 'A DEBUG IMAGE' "$work/error" || fail "the build of a debug image does not say so"
"$ctl" sim firmware "$work/stand-in.fd"
digest_of() {
  "$ctl" measure --mode snp --vcpus 1 --vcpu-type EPYC-v4 --ovmf "$work/stand-in.fd" \
    --kernel "$work/$1/vmlinuz" --initrd "$work/$1/initrd.img" --append "$(cat "$work/$1/cmdline")"
}
[[ $(digest_of one) == "$(digest_of two)" ]] || fail "the same image has two launch digests"
[[ $(digest_of one) != "$(digest_of debug)" ]] || fail "the debug image has the release's launch digest"
if "$ctl" image verify "$work/debug" >"$work/found"; then fail "image verify: took a debug image"; fi
[[ $(cat "$work/found") == "debug: the image has a root shell for whoever reaches it: not a release"* ]] ||
  fail "image verify: $(cat "$work/found")"

# Built again with a package in another version than the release's: it says which.
crun=$(dpkg-query -W -f '${Version}' crun)
sed "s/\"version\": \"$crun\"/\"version\": \"0.0.1\"/" "$work/one/manifest.json" >"$work/older.json"
"$here/build.sh" --pinned "$work/older.json" "$static" "$static" "$work/bad" 2>"$work/error" &&
  fail "a package in another version was taken"
[[ $(cat "$work/error") == *"pinned: crun 0.0.1"*"here:   crun $crun"*"other packages than in"* ]] ||
  fail "unexpected: $(cat "$work/error")"

"$here/build.sh" "$dynamic" "$static" "$work/bad" 2>"$work/error" && fail "a dynamic agent was taken"
grep -q 'not statically linked' "$work/error" || fail "unexpected: $(cat "$work/error")"
"$here/build.sh" "$static" "$work/none" "$work/bad" 2>"$work/error" && fail "a missing program was taken"
[[ ! -e $work/bad/initrd.img ]] || fail "a refused build left an initrd"
