#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the policy engine (with RE2) adds to a static, stripped program that has JSON already, linked
# as the agent is: rego_size.sh BUILD. Fails beyond MAX_MIB (2.5).
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: rego_size.sh BUILD}
cmake --build "$build" --target rego_size_with rego_size_without -- -j2 >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for program in with without; do
  strip -o "$work/$program" "$build/tests/bench/rego_size_$program"
done
# It is the whole engine, and works.
"$work/with" 'package agent_policy
allow if regex.match(input.pattern, "abc")' '{"pattern": "^a", "ops": []}' | grep -q '^\[true' ||
  { echo "rego_size.sh: the program with the engine does not decide" >&2; exit 1; }
awk -v with="$(stat -c %s "$work/with")" -v without="$(stat -c %s "$work/without")" -v limit="${MAX_MIB:-2.5}" 'BEGIN {
  added = (with - without) / 2 ^ 20
  printf "the policy engine adds %.2f MiB to a static program of %.2f MiB (goal %g)\n", added, without / 2 ^ 20, limit
  exit added > limit }'
