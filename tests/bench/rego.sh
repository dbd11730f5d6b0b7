#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The policy engine beside regorus and OPA over recorded Kata policies: rego.sh BUILD [FOLDER...].
# Builds the peers, checks that all give the same answers, prints medians in microseconds and the
# ratio to ours, then how CreateContainerRequest grows with the number of containers. Fails beyond a
# goal.
# Folders come from KATA_CC_CONFORMANCE (its rego/kata-recorded) when none are named.
set -euo pipefail

cd "$(dirname "$0")/../.."
build=${1:?usage: rego.sh BUILD [FOLDER...]}
shift
folders=("$@")
if [[ ${#folders[@]} -eq 0 ]]; then
  root=${KATA_CC_CONFORMANCE:-../shared/conformance}
  [[ -d $root/rego/kata-recorded ]] || { echo "rego.sh: no recorded policies in $root" >&2; exit 1; }
  folders=("$root"/rego/kata-recorded/*/)
fi

out=$build/bench-rego
mkdir -p "$out"
cargo build --quiet --release --manifest-path tests/bench/rego/regorus/Cargo.toml --target-dir "$out/regorus"
(cd tests/bench/rego/opa && go build -o "$OLDPWD/$out/opa-bench" .)
cmake --build "$build" --target rego_bench -- -j2 >/dev/null

"$build/tests/bench/rego_bench" peers "${folders[@]}" >"$out/ours.txt"
"$out/regorus/release/regorus-bench" "${folders[@]}" >"$out/regorus.txt"
"$out/opa-bench" "${folders[@]}" >"$out/opa.txt"

for peer in regorus opa; do
  if ! diff <(grep ^answer "$out/ours.txt") <(grep ^answer "$out/$peer.txt") >"$out/$peer.diff"; then
    echo "rego.sh: answers differ from $peer:" >&2
    head -20 "$out/$peer.diff" >&2
    exit 1
  fi
done
echo "same $(grep -c ^answer "$out/ours.txt") answers from all three engines"

awk '
  $1 == "figure" { value[FILENAME, $2] = $3; if (FILENAME == ARGV[1]) order[++n] = $2 }
  END {
    printf "%-34s %12s %12s %8s %12s %8s\n", "median, microseconds", "kata-cc", "regorus", "ratio", "opa", "ratio"
    for (i = 1; i <= n; i++) {
      ours = value[ARGV[1], order[i]]; a = value[ARGV[2], order[i]]; b = value[ARGV[3], order[i]]
      printf "%-34s %12.1f %12.1f %7.1fx %12.1f %7.1fx\n", order[i], ours, a, a / ours, b, b / ours
    }
  }' "$out/ours.txt" "$out/regorus.txt" "$out/opa.txt"
"$build/tests/bench/rego_bench" --benchmark_min_time=0.2

awk '
  function goal(what, figure, least, most) {
    printf "%s: %.2f (goal %s %g)\n", what, figure, least ? "at least" : "below", least ? least : most
    if (least ? figure < least : figure >= most) missed = 1
  }
  $1 != "answer" { value[FILENAME, $2] = $3 }
  END {
    ours = ARGV[1]; create = "CreateContainerRequest.allowed"
    goal("allowed CreateContainerRequest, times as fast as regorus", value[ARGV[2], create] / value[ours, create], 50)
    for (name in value) {
      split(name, part, SUBSEP)
      if (part[1] == ours && part[2] ~ /^(ExecProcess|ReadStream|WriteStream|CloseStdin)Request/)
        goal(part[2] ", us", value[name], 0, 20)
    }
    goal("load of the largest policy (" value[ours, "largest_policy_bytes"] " bytes), ms of CPU", value[ours, "largest_load_us"] / 1000, 0, 3)
    goal("evaluated steps, million a second", value[ours, "steps_per_us"], 10)
    exit missed
  }' "$out/ours.txt" "$out/regorus.txt"
