#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make bench`: every benchmark of tests/bench, one after another: run.sh BUILD_DIR [NAME...]
# The figures go to stdout and to BUILD_DIR/bench/NAME.txt. Fails if one is beyond its goal.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:?usage: run.sh BUILD_DIR [NAME...]}
shift
mkdir -p "$build/bench"
missed=()

bench() {  # bench NAME COMMAND...
  local name=$1
  shift
  [[ ${#only[@]} -eq 0 || " ${only[*]} " == *" $name "* ]] || return 0
  printf '== %s\n' "$name"
  "$@" | tee "$build/bench/$name.txt" || missed+=("$name")
}
only=("$@")

echo "machine: $(nproc) x $(awk -F': ' '/^model name/ && !n++ { print $2 }' /proc/cpuinfo), kernel $(uname -r), load $(cut -d' ' -f1 /proc/loadavg)"
bench agent tests/bench/agent.sh "$build/agent/kata-cc-agent"
bench ttrpc tests/bench/ttrpc.sh "$build"
bench pod_start tests/bench/pod_start.sh "$build"
bench rego tests/bench/rego.sh "$build"
bench rego_size tests/bench/rego_size.sh "$build"
bench layer tests/bench/layer.sh "$build/shim/ctl/kata-ccctl"
bench layer_pod tests/bench/layer_pod.sh "$build"
bench measure tests/bench/measure.sh "$build/shim/ctl/kata-ccctl"
[[ ${#missed[@]} -eq 0 ]] || { echo "beyond the goal, or failed: ${missed[*]}" >&2; exit 1; }
