#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fails when docs/threat-model.md names a file or a test that does not exist.
set -euo pipefail
cd "$(git rev-parse --show-toplevel 2>/dev/null || pwd)"
export LC_ALL=C

status=0
tests=$(grep -rhoE '^TEST(_F|_P)?\([A-Za-z0-9_]+, +[A-Za-z0-9_]+\)' --include='*_test.cc' . |
  sed -E 's/^TEST(_F|_P)?\(//; s/, +/./; s/\)$//' | sort -u)
# shellcheck disable=SC2016 # Back-quotes of Markdown.
named=$(grep -E '^\|' docs/threat-model.md | sed 's/.*|\([^|]*\)|$/\1/' | grep -oE '`[^`]+`' | tr -d '`' | sort -u)
while read -r name; do
  if [[ $name == */* ]]; then
    [[ -e $name ]] || { echo "docs/threat-model.md: $name: no such file" >&2; status=1; }
  else
    grep -qxF "$name" <<<"$tests" || { echo "docs/threat-model.md: $name: no such test" >&2; status=1; }
  fi
done <<<"$named"
# Every defence has a test.
while read -r row; do
  [[ $row == *'`'*'` |' ]] || { echo "docs/threat-model.md: no test: $row" >&2; status=1; }
done < <(grep -E '^\|' docs/threat-model.md | grep -vE '^\|(---| attack )')
exit "$status"
