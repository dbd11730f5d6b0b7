# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by tests that compare trees of files.

# Every attribute of every file, one a line.
describe() {
  local root=$1
  (cd "$root" && find . -mindepth 1 -printf '%P|%y|%m|%U|%G|%s|%n|%l|%T@\n' |
    sed -E 's/^(([^|]*\|d(\|[^|]*){3})\|)[^|]*/\1/' | LC_ALL=C sort) # No sizes of directories.
  (cd "$root" && find . -mindepth 1 \( -type b -o -type c \) -exec stat -c '%n %t:%T' {} + | LC_ALL=C sort)
  (cd "$root" && find . -mindepth 1 -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
  (cd "$root" && find . -mindepth 1 -print0 | LC_ALL=C sort -z | xargs -0 getfattr -P -h -d -m - -e hex 2>/dev/null)
}
