#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tee = "sim" through a real containerd, shim and QEMU: the guest takes the policy that its
# simulated report names, and runs verified layers only.
set -euo pipefail
export STACK_TEE=sim STACK_SNAPSHOTTER=kata-cc
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
STACK_HYPERVISOR="sim_dir = \"$(mktemp -d -u /tmp/kata-cc-sim.XXXXXX)\""
sim_dir=${STACK_HYPERVISOR#*\"}
sim_dir=${sim_dir%\"}
trap 'rm -rf "$sim_dir"; stack_stop' EXIT
stack_start

a_verified_pod_runs_under_the_policy_of_the_report() {
  expect output "$(run_pod run --rm -- sim0 sh -c 'echo verified')" verified
}

unverified_layers_are_refused() {
  local status=0 error
  error=$(STACK_SNAPSHOTTER=overlayfs run_pod run --rm -- sim1 true 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" "*a confidential sandbox needs verified layers*"
}

both_sides_say_that_the_tee_is_simulated() {
  grep -q 'THE TEE OF THIS VM IS SIMULATED' "$STACK"/containerd/containerd.log
}

a_guest_without_any_policy_runs_nothing() {
  local status=0 error
  error=$(run_pod - --rm -- sim2 true 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" '*CreateSandboxRequest is blocked by policy*'
}

the_keys_are_of_this_installation_and_verify_no_report_by_themselves() {
  "$KATA_CC_BUILD"/shim/ctl/kata-ccctl sim init --dir "$sim_dir" >/dev/null
  expect "mode of the key" "$(stat -c %a "$sim_dir/vcek.key")" 600
  expect "files" "$(find "$sim_dir" -type f | wc -l)" 4
}

nothing_is_left() {
  expect "leftovers" "$(stack_leftovers)" ''
}

run_cases a_verified_pod_runs_under_the_policy_of_the_report unverified_layers_are_refused \
  both_sides_say_that_the_tee_is_simulated a_guest_without_any_policy_runs_nothing \
  the_keys_are_of_this_installation_and_verify_no_report_by_themselves nothing_is_left
