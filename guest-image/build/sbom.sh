#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# sbom.sh ROOT FILES KERNEL_PACKAGE INITRD_SHA256: the bill of materials of an image, SPDX 2.3 JSON, to
# standard output. FILES has "path<TAB>package<TAB>version" a line, ROOT the files themselves. The same
# image gives the same bytes; the document's name holds the initrd's digest.
set -euo pipefail
export LC_ALL=C
[[ $# -eq 4 ]] || { echo "usage: sbom.sh ROOT FILES KERNEL_PACKAGE INITRD_SHA256" >&2; exit 2; }
root=$1
files=$2
kernel_package=$3
initrd_sha256=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(cat "$here/../../VERSION")

die() { echo "sbom.sh: $*" >&2; exit 1; }

# What our programs link statically: headers and archives of these packages.
linked=(libc6-dev libfmt-dev libprotobuf-dev libre2-dev libspdlog-dev libssl-dev libstdc++-12-dev
  libtomlplusplus-dev nlohmann-json3-dev zlib1g-dev)

version_of() {
  local versions
  versions=$(dpkg-query -W -f '${Version}\n' "$1" 2>/dev/null) || die "$1: not installed"
  echo "${versions%%$'\n'*}"
}
license_of() {
  local name license
  while IFS=$'\t' read -r name license; do
    # shellcheck disable=SC2053 # A pattern.
    [[ $name != \#* && $1 == $name ]] && { echo "$license"; return; }
  done <"$here/licenses"
  die "$1: its licence is not in guest-image/build/licenses"
}
id_of() { printf '%s' "$1" | tr -c 'a-zA-Z0-9.-' '-'; }
hash_with() { "$1" "$2" | cut -d' ' -f1; }

package() {  # package NAME VERSION
  local license supplier='Organization: Debian' purl
  license=$(license_of "$1")
  purl="pkg:deb/debian/$(printf '%s' "$1" | sed 's/+/%2B/g')@$(printf '%s' "$2" | sed 's/+/%2B/g; s/~/%7E/g; s/:/%3A/g')?arch=amd64"
  [[ $1 == kata-cc ]] && { supplier='Organization: kata-cc'; purl="pkg:generic/kata-cc@$2"; }
  printf '    {"SPDXID": "SPDXRef-Package-%s", "name": "%s", "versionInfo": "%s", "supplier": "%s", ' \
    "$(id_of "$1")" "$1" "$2" "$supplier"
  printf '"downloadLocation": "NOASSERTION", "filesAnalyzed": false, "licenseConcluded": "NOASSERTION", '
  printf '"licenseDeclared": "%s", "copyrightText": "NOASSERTION", ' "$license"
  printf '"externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "%s"}]}' "$purl"
}
relationship() {
  printf '    {"spdxElementId": "SPDXRef-%s", "relationshipType": "%s", "relatedSpdxElement": "SPDXRef-%s"}' "$1" "$2" "$3"
}
comma() { printf '%s' "$first"; first=$',\n'; }

mapfile -t packages < <(cut -f2,3 "$files" | sort -u)
printf '{\n  "spdxVersion": "SPDX-2.3",\n  "dataLicense": "CC0-1.0",\n  "SPDXID": "SPDXRef-DOCUMENT",\n'
printf '  "name": "kata-cc-guest-image-%s",\n' "$version"
printf '  "documentNamespace": "https://spdx.org/spdxdocs/kata-cc-guest-image-%s",\n' "$initrd_sha256"
printf '  "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: kata-cc-%s"]},\n' "$version"
printf '  "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-public-domain", "extractedText": "Placed in the public domain by its authors."}],\n'
printf '  "packages": [\n'
# SPDX's code for a package's files: the SHA-1 of their SHA-1s in order.
code=$(cut -f1 "$files" | while read -r path; do hash_with sha1sum "$root$path"; done | sort | tr -d '\n' | sha1sum | cut -d' ' -f1)
printf '    {"SPDXID": "SPDXRef-Package-guest-image", "name": "kata-cc-guest-image", "versionInfo": "%s", ' "$version"
printf '"downloadLocation": "NOASSERTION", "filesAnalyzed": true, "packageVerificationCode": {"packageVerificationCodeValue": "%s"}, ' "$code"
printf '"licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "licenseInfoFromFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION"}'
first=$',\n'
for entry in "${packages[@]}"; do
  comma
  package "${entry%%$'\t'*}" "${entry#*$'\t'}"
done
for name in "${linked[@]}"; do
  comma
  package "$name" "$(version_of "$name")"
done
cut -f2 "$files" | grep -qx "$kernel_package" || { comma; package "$kernel_package" "$(version_of "$kernel_package")"; }
printf '\n  ],\n  "files": [\n'
first=
while IFS=$'\t' read -r path owner _; do
  comma
  printf '    {"SPDXID": "SPDXRef-File-%s", "fileName": ".%s", "checksums": [{"algorithm": "SHA1", "checksumValue": "%s"}, {"algorithm": "SHA256", "checksumValue": "%s"}], ' \
    "$(id_of "${path#/}")" "$path" "$(hash_with sha1sum "$root$path")" "$(hash_with sha256sum "$root$path")"
  printf '"licenseConcluded": "%s", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION"}' "$(license_of "$owner")"
done < <(sort "$files")
printf '\n  ],\n  "relationships": [\n'
first=
comma
relationship DOCUMENT DESCRIBES Package-guest-image
while IFS=$'\t' read -r path owner _; do
  comma
  relationship Package-guest-image CONTAINS "File-$(id_of "${path#/}")"
  comma
  relationship "File-$(id_of "${path#/}")" GENERATED_FROM "Package-$(id_of "$owner")"
done < <(sort "$files")
for name in "${linked[@]}"; do
  comma
  relationship "Package-kata-cc" STATIC_LINK "Package-$(id_of "$name")"
done
for entry in "${packages[@]}"; do
  name=${entry%%$'\t'*}
  [[ $name == kata-cc ]] && continue
  comma
  relationship Package-kata-cc DEPENDS_ON "Package-$(id_of "$name")"
done
printf '\n  ]\n}\n'
