#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `make demo`: confidential pods, end to end, on this machine: containerd starts the shim, the shim
# a VM, the agent in it the container, and the pod's policy decides what the host may do.
# Uses a containerd and a libvirtd of its own, and stops them.
set -euo pipefail
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/network.sh
source "$(dirname "$0")/network.sh"
# shellcheck source=tests/e2e/attestation.sh
source "$(dirname "$0")/attestation.sh"

step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '   | %s\n' "$@"; }
trap 'network_stop; stack_stop' EXIT

step "starting a private libvirtd and containerd, importing a busybox image"
stack_start
show "libvirt: $LIBVIRT_URI" "accelerator: $(grep -qE 'svm|vmx' /proc/cpuinfo && echo kvm || echo 'tcg (no usable KVM here)')"

step "a pod runs in its own VM; its output comes through containerd"
began=$(date +%s.%N)
# shellcheck disable=SC2016 # expanded in the guest
output=$(run_pod run --rm -- hello sh -c 'echo "hello from $(uname -r), PID $$"; exit 3') && status=0 || status=$?
show "$output" "exit code $status, after $(awk -v a="$began" -v b="$(date +%s.%N)" 'BEGIN{printf "%.1f", b-a}') s"
[[ $output == "hello from "*-cloud-amd64* && $status -eq 3 ]] || fail "hello: unexpected output or exit code"
show "(the host's kernel is $(uname -r))"

step "a policy that allows one command by exec"
run_pod run-exec -d -- web sleep 1000
output=$(exec_in web echo "run by exec")
show "exec echo: $output"
[[ $output == "run by exec" ]] || fail "exec: unexpected output"
exec_in web sh -c 'exit 7' && status=0 || status=$?
show "exec sh -c 'exit 7': exit code $status"
[[ $status -eq 7 ]] || fail "exec: exit code $status, expected 7"
step "... and refuses any other"
error=$(exec_in web cat /etc/passwd 2>&1) && fail "exec of another command was allowed"
show "$error"
[[ $error == *"ExecProcessRequest is blocked by policy"* ]] || fail "exec: unexpected error text"
remove_pod web

step "the same exec in a pod whose policy has no rule for exec"
run_pod run -d -- plain sleep 1000
error=$(exec_in plain echo "run by exec" 2>&1) && fail "exec was allowed"
show "$error"
[[ $error == *"ExecProcessRequest is blocked by policy"* ]] || fail "exec: unexpected error text"
remove_pod plain

step "a pod without any policy: the guest's built-in default lets nothing run"
error=$(run_pod - --rm -- nopolicy true 2>&1) && fail "a pod without a policy ran"
show "$error"
[[ $error == *"is blocked by policy"* ]] || fail "no policy: unexpected error text"
stack_ctr containers delete nopolicy >/dev/null 2>&1 || true

step "a policy that allows exec, but not logs"
run_pod exec-no-logs -d -- silent sleep 1000
output=$(exec_in silent echo "run by exec" 2>&1) && status=0 || status=$?
show "exec echo: exit code $status, output: '$output'"
[[ $status -eq 0 && $output != *"run by exec"* ]] || fail "exec-no-logs: output was shown"
remove_pod silent

step "attestation, with a simulator in SEV-SNP's place: what a report of a pod must hold, from public files"
stack_ctr images import --snapshotter kata-cc "$STACK/busybox.tar" >/dev/null
network_start
attestation_start
attestation_reference
show "kata-ccctl measure --pod pod.yaml --config configuration.toml" \
  "launch digest $(reference launch_digest | cut -c -32)..." "host data     $(reference host_data)"
step "a key broker on the pods' network expects just that, and has a secret for such a guest"
broker_start
show "$BROKER, its certificate named in the pod's initdata"
output=$(run_attested "$STACK/attestation/configuration.toml" "$STACK/attestation/initdata" --rm -- attested \
  wget -q -O - http://127.0.0.1:8006/cdh/resource/default/key/1)
show "the pod: wget http://127.0.0.1:8006/cdh/resource/default/key/1" "$output"
[[ $output == "$(<"$STACK/attestation/secret")" ]] || fail "attestation: another secret, or none"
mapfile -t lines < <(tail -n 3 "$STACK/attestation/broker.log")
show "${lines[@]}"
step "the same pod, started by a host with another kernel command line"
attestation_configuration "$STACK/attestation/other.toml" 's/^tee = .*/&\nkernel_params = "loglevel=4"/'
output=$(run_attested "$STACK/attestation/other.toml" "$STACK/attestation/initdata" --rm -- other \
  sh -c "$ask_api" /cdh/resource/default/key/1 2>&1 | tr -d '\r')
show "$(head -n 1 <<<"$output")" "$(tail -n 1 <<<"$output")"
[[ $output == *"AttestationClaimsDenied: measurement"* ]] || fail "attestation: not refused: $output"

step "nothing is left: processes, domains, mounts, sockets, FIFOs"
wait_until 20 nothing_left || fail "left on the host:
$(stack_leftovers)"
show "nothing"
printf '\ndemo: all as expected\n'
