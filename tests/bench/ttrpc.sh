#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our ttrpc server and Go's, side by side: ttrpc.sh [BUILD_DIR]. Ratios are ours to Go's: more is
# better for calls/s, less for latency. BUILD_DIR (build/release) holds a built ttrpc_bench.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/release}
bench=$build/tests/ttrpc/ttrpc_bench
go_ttrpc=$build/tests/ttrpc/go-ttrpc
[[ -x $bench ]] || { echo "ttrpc.sh: $bench is missing: build it first" >&2; exit 1; }
tests/ttrpc/build_go.sh "$go_ttrpc"

dir=$(mktemp -d)
trap 'exec 8>&- 9>&-; wait; rm -rf "$dir"' EXIT
wait_for() {
  for _ in $(seq 100); do
    grep -q serving "$1" 2>/dev/null && return
    sleep 0.1
  done
  echo "ttrpc.sh: no server came up" >&2
  exit 1
}
# Each server ends when its standard input does.
mkfifo "$dir/ours.in" "$dir/go.in"
"$bench" server "$dir/ours" <"$dir/ours.in" >"$dir/ours.out" &
ours=$!
exec 8>"$dir/ours.in"
"$go_ttrpc" server "$dir/go" <"$dir/go.in" >"$dir/go.out" 8>&- &
go=$!
exec 9>"$dir/go.in"
wait_for "$dir/ours.out"
wait_for "$dir/go.out"
"$bench" compare "$dir/ours" "$dir/go"
printf 'resident memory after it: kata-cc %s, go %s\n' \
  "$(awk '/VmRSS/ { print $2 $3 }' "/proc/$ours/status")" \
  "$(awk '/VmRSS/ { print $2 $3 }' "/proc/$go/status")"
