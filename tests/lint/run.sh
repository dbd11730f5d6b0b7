#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every lint of the tree: include rules, SPDX lines, format, shell scripts, and clang-tidy on the
# files that are given, or on those changed since the last commit.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"

status=0
step() { printf '== %s\n' "$*" >&2; }

step "include rules"
tests/lint/includes.sh || status=1

step "threat model"
tests/lint/threat_model.sh || status=1

step "SPDX lines"
mapfile -t sources < <(git ls-files '*.cc' '*.h' '*.sh' '*.proto' '*.go' '*.rego' '*CMakeLists.txt' Makefile)
for file in "${sources[@]}"; do
  [[ $file == tests/data/* ]] && continue
  head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
    { echo "$file:1: no SPDX-License-Identifier line" >&2; status=1; }
done

step "clang-format"
mapfile -t cxx < <(git ls-files '*.cc' '*.h')
clang-format-14 --dry-run --Werror "${cxx[@]}" || status=1

step "shellcheck"
mapfile -t scripts < <(git ls-files '*.sh' .ci/run)
shellcheck -x "${scripts[@]}" || status=1

if [[ ${KATA_CC_TIDY:-} ]]; then
  step "clang-tidy on ${KATA_CC_TIDY}"
  cmake --preset dev >/dev/null
  # shellcheck disable=SC2086
  clang-tidy-14 --quiet -p build/dev ${KATA_CC_TIDY} || status=1
fi
exit "$status"
