#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the policy engine (with RE2) adds to the agent: the stripped agent, and the same linked with
# a stub in the engine's place: rego_size.sh BUILD. Fails beyond MAX_MB (2.5, of 10^6 bytes).
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: rego_size.sh BUILD}
cmake --build "$build" --target kata-cc-agent agent_without_engine -- -j2 >/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip -o "$work/with" "$build/agent/kata-cc-agent"
strip -o "$work/without" "$build/tests/bench/agent_without_engine"
# Nothing of the engine but the stub is left in the one, and it is all in the other.
count() { nm -C "$1" | grep -cF "$2" || true; }
for name in policy::Evaluator::Run re2::RE2::; do
  [[ $(count "$build/agent/kata-cc-agent" "$name") != 0 && $(count "$build/tests/bench/agent_without_engine" "$name") == 0 ]] ||
    { echo "rego_size.sh: $name is not in the agent, or still there without the engine" >&2; exit 1; }
done
awk -v with="$(stat -c %s "$work/with")" -v without="$(stat -c %s "$work/without")" -v limit="${MAX_MB:-2.5}" 'BEGIN {
  added = (with - without) / 1e6
  printf "the policy engine adds %.2f MB to the agent of %.2f MB (goal at most %g)\n", added, with / 1e6, limit
  exit added > limit }'
