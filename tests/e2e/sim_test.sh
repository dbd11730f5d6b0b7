#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tee = "sim" through a real containerd, shim and QEMU: the guest takes the policy that its
# simulated report names, and runs verified layers only. Then the whole chain: launch, report, local
# API, a key broker over the pod's network, and the secret; and guests that are not what the broker
# expects, which get none.
set -euo pipefail
export STACK_TEE=sim STACK_SNAPSHOTTER=kata-cc
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/network.sh
source "$(dirname "$0")/network.sh"
# shellcheck source=tests/e2e/attestation.sh
source "$(dirname "$0")/attestation.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
STACK_HYPERVISOR="sim_dir = \"$(mktemp -d -u /tmp/kata-cc-sim.XXXXXX)\""
sim_dir=${STACK_HYPERVISOR#*\"}
sim_dir=${sim_dir%\"}
trap 'rm -rf "$sim_dir"; network_stop; stack_stop' EXIT
stack_start
work=$STACK/attestation

a_verified_pod_runs_under_the_policy_of_the_report() {
  expect output "$(run_pod run --rm -- sim0 sh -c 'echo verified')" verified
}

unverified_layers_are_refused() {
  local status=0 error
  error=$(STACK_SNAPSHOTTER=overlayfs run_pod run --rm -- sim1 true 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" "*a confidential sandbox needs verified layers*"
}

a_host_without_snp_is_told_what_it_lacks_and_runs_nothing_else() {
  attestation_configuration "$work/snp.toml" 's#^tee = .*#tee = "snp"\nfirmware = "/none/OVMF.fd"#'
  local status=0 error
  error=$(run_attested "$work/snp.toml" "$work/initdata" --rm -- snp0 echo started 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" '*this host cannot launch SEV-SNP guests, and tee = "snp" takes no other: *firmware: */none/OVMF.fd*'
  [[ $error != *$'\n'started* ]]
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

# A Secret's volume, and its changes, as the kubelet makes them.
volume=$STACK/pods/1/volumes/kubernetes.io~secret/s
publish() {  # publish FILE: as the volume's "password"
  local version=..$RANDOM$RANDOM
  mkdir -p "$volume/$version"
  cp "$1" "$volume/$version/password"
  ln -s "$version" "$volume/..data_tmp"
  mv -T "$volume/..data_tmp" "$volume/..data"
  [[ -L $volume/password ]] || ln -s ..data/password "$volume/password"
}

a_workload_gets_its_secret_by_the_guests_evidence() {
  publish "$work/sealed"
  # shellcheck disable=SC2016 # expanded in the guest
  run_attested "$work/configuration.toml" "$work/initdata" -d --env "SEALED=$(<"$work/sealed")" \
    --mount "type=bind,src=$volume,dst=/sealed/s,options=rbind:ro" -- \
    attested sh -c 'echo "$SEALED" >/tmp/unsealed; sleep 1000'
  expect secret "$(exec_in attested wget -q -O - http://127.0.0.1:8006/cdh/resource/default/key/1)" \
    "$(<"$work/secret")"
  expect "the broker's log" "$(<"$work/broker.log")" '*/kbs/v0/attest: 200*'
}

a_sealed_secret_in_the_environment_is_open() {
  expect "in the container" "$(exec_in attested cat /tmp/unsealed)" "$(<"$work/secret")"
  # shellcheck disable=SC2016 # expanded in the guest
  expect "in an exec" "$(exec_in attested sh -c 'echo "$SEALED"')" "$(<"$work/secret")"
}

password_is() { [[ $(exec_in attested cat /sealed/s/password) == "$1" ]]; }

a_sealed_file_is_open_and_again_when_it_changes() {
  expect "at first" "$(exec_in attested cat /sealed/s/password)" "$(<"$work/secret")"
  echo plain >"$work/plain"
  publish "$work/plain"
  wait_until 30 password_is plain
  publish "$work/sealed"
  wait_until 30 password_is "$(<"$work/secret")"
  # Not by the key that it names: it does not come.
  sed 's/.....$/AAAAA/' "$work/sealed" >"$work/forged"
  publish "$work/forged"
  sleep 5
  expect "after a forged one" "$(exec_in attested cat /sealed/s/password)" "$(<"$work/secret")"
}

the_report_in_the_guest_has_the_reference_values() {
  exec_in attested wget -q -O - "http://127.0.0.1:8006/aa/evidence?runtime_data=hello" >"$STACK/evidence"
  python3 - "$STACK/evidence" "$(reference launch_digest)" "$(reference host_data)" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))["attestation_report"]
assert bytes(report["measurement"]).hex() == sys.argv[2], "measurement"
assert bytes(report["host_data"]).hex() == sys.argv[3], "host data"
assert bytes(report["report_data"]).rstrip(b"\0") == b"hello", "report data"
PYTHON
}

# Not in the guest's console either, of the pod that still runs.
the_secret_is_in_no_log() {
  local state log text
  state=$(dirname "$(grep -lsF "$STACK" /run/kata-cc/*/sandbox.json)")
  for log in "$STACK/containerd/containerd.log" "$work/broker.log" "$state/console.log"; do
    [[ -s $log ]]
    for text in "$(<"$work/secret")" "$(head -c 30 "$work/secret" | base64)"; do
      must_fail grep -qaF -- "$text" "$log"
    done
  done
}

what_the_policy_does_not_name_is_refused_by_the_local_api() {
  expect "another resource" "$(exec_in attested sh -c "$ask_api" /cdh/resource/default/key/2)" 'HTTP/1.1 403 *'
  expect "a token" "$(exec_in attested sh -c "$ask_api" '/aa/token?token_type=kbs')" 'HTTP/1.1 403 *'
  remove_pod attested
}

# refused REASON CONFIGURATION INITDATA: such a guest runs, says why the broker refuses it, and has no secret.
refused() {
  local output
  output=$(run_attested "$2" "$3" --rm -- "refused$RANDOM" sh -c "$ask_api" /cdh/resource/default/key/1 2>&1)
  expect answer "$output" "HTTP/1.1 500 *AttestationClaimsDenied: $1*"
  [[ $output != *"$(<"$work/secret")"* ]]
}

another_kernel_command_line_gets_no_secret() {
  attestation_configuration "$work/cmdline.toml" 's/^tee = .*/&\nkernel_params = "loglevel=4"/'
  refused measurement "$work/cmdline.toml" "$work/initdata"
}

another_initrd_gets_no_secret_and_opens_no_sealed_one() {
  # The kernel unpacks an archive behind the other, too.
  mkdir "$work/more"
  echo more >"$work/more/file"
  { cat "$KATA_CC_IMAGE/initrd.img"; (cd "$work/more" && echo file | cpio --quiet -o -H newc); } >"$work/initrd.img"
  attestation_configuration "$work/initrd.toml" "s#^initrd = .*#initrd = \"$work/initrd.img\"#"
  refused measurement "$work/initrd.toml" "$work/initdata"
  local status=0 error
  # shellcheck disable=SC2016 # expanded in the guest
  error=$(run_attested "$work/initrd.toml" "$work/initdata" --rm --env "SEALED=$(<"$work/sealed")" -- sealed0 \
    sh -c 'echo "started with $SEALED"' 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" '*AttestationClaimsDenied*'
  [[ $error != *"started with"* ]]
}

another_guest_policy_gets_no_secret() {
  attestation_configuration "$work/debug.toml" 's/^tee = .*/&\nsnp_guest_policy = 0xb0000/'
  refused 'policy debug' "$work/debug.toml" "$work/initdata"
}

another_policy_or_initdata_gets_no_secret() {
  { cat "$work/policy.rego"; echo '# Or is it the same?'; } >"$work/other.rego"
  attestation_initdata "$work/other.rego" >"$work/other"
  refused host_data "$work/configuration.toml" "$work/other"
}

nothing_is_left() {
  expect "leftovers" "$(stack_leftovers)" ''
}

network_start
attestation_start
attestation_reference
broker_start
run_cases a_verified_pod_runs_under_the_policy_of_the_report unverified_layers_are_refused \
  a_host_without_snp_is_told_what_it_lacks_and_runs_nothing_else \
  both_sides_say_that_the_tee_is_simulated a_guest_without_any_policy_runs_nothing \
  the_keys_are_of_this_installation_and_verify_no_report_by_themselves \
  a_workload_gets_its_secret_by_the_guests_evidence a_sealed_secret_in_the_environment_is_open \
  a_sealed_file_is_open_and_again_when_it_changes \
  the_report_in_the_guest_has_the_reference_values the_secret_is_in_no_log \
  what_the_policy_does_not_name_is_refused_by_the_local_api \
  another_kernel_command_line_gets_no_secret another_initrd_gets_no_secret_and_opens_no_sealed_one \
  another_guest_policy_gets_no_secret another_policy_or_initdata_gets_no_secret nothing_is_left
