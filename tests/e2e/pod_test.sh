#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a pod can do, and what it cannot, through a real containerd, QEMU and guest. Most cases share
# one pod ("web", a sandbox and two containers).
set -euo pipefail
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
trap stack_stop EXIT
stack_start

pod_annotations() {  # pod_annotations sandbox|container SANDBOX
  printf '%s\n' --annotation "io.kubernetes.cri.container-type=$1" \
    --annotation "io.kubernetes.cri.sandbox-id=$2"
}

output_and_exit_code_of_a_plain_run() {
  local output status=0
  # shellcheck disable=SC2016 # expanded in the guest
  output=$(run_pod run --rm -- plain1 sh -c 'echo out; echo err >&2; exit 3' 2>"$STACK/err") || status=$?
  expect stdout "$output" out
  expect stderr "$(cat "$STACK/err")" err
  expect "exit code" $status 3
}

sandbox_and_container_share_one_vm() {
  local options
  mapfile -t options < <(pod_annotations sandbox web)
  run_pod run-exec -d "${options[@]}" -- web /pause
  mapfile -t options < <(pod_annotations container web)
  run_pod run-exec -d "${options[@]}" -- app sleep 100000
  expect "domains" "$(virsh -q -c "$LIBVIRT_URI" list --name | grep -c kata-cc)" 1
  expect "VMMs" "$(stack_vmms "" | wc -l)" 1
  expect "shims" "$(stack_shims | wc -l)" 1
  expect "sandbox" "$(status_of web)" RUNNING
  expect "container" "$(status_of app)" RUNNING
}

# The sandbox's own container has no layers with verity: both are possible where nothing is confidential.
a_plain_sandbox_takes_verified_layers_too() {
  local options domain
  stack_ctr images import --snapshotter kata-cc "$STACK/busybox.tar" >/dev/null
  mapfile -t options < <(pod_annotations container web)
  STACK_SNAPSHOTTER=kata-cc run_pod run-exec -d "${options[@]}" -- verified sleep 100000
  expect output "$(exec_in verified echo 'run by exec')" 'run by exec'
  domain=$(virsh -q -c "$LIBVIRT_URI" list --name | head -n 1)
  expect "verified layers" "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c snapshotter/layers)" 1
  expect "other file systems" "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c "$STACK/images/")" 2
  remove_pod verified
}

exec_runs_in_the_container() {
  expect output "$(exec_in app echo 'run by exec')" 'run by exec'
}

exec_exit_code_is_passed_on() {
  local status=0
  exec_in app sh -c 'exit 7' || status=$?
  expect "exit code" $status 7
}

exec_that_the_policy_does_not_name_is_refused() {
  local status=0 error
  error=$(exec_in app cat /etc/passwd 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" '*ExecProcessRequest is blocked by policy*'
}

stdin_reaches_an_exec_and_its_end_ends_it() {
  expect output "$(printf 'one\ntwo\n' | exec_in app cat)" $'one\ntwo'
}

a_megabyte_through_stdin_and_stdout_is_unchanged() {
  head -c 1000000 /dev/urandom >"$STACK/random"
  exec_in app cat <"$STACK/random" >"$STACK/back"
  cmp "$STACK/random" "$STACK/back"
}

a_signal_ends_an_exec_with_128_plus_its_number() {
  local id=sig$RANDOM status=0 pid
  stack_ctr tasks exec --fifo-dir "$STACK/fifo" --exec-id "$id" app sleep 1000 &
  pid=$!
  wait_until 10 stack_ctr tasks kill --exec-id "$id" --signal SIGTERM app 2>/dev/null
  wait $pid || status=$?
  expect "exit code" $status 143
}

task_call() {  # task_call METHOD FIELD...: of the pod's shim, past containerd
  local bundle=$STACK/containerd/state/io.containerd.runtime.v2.task/default/web
  "$here/task_call.py" "$(cat "$bundle/address")" "$@"
}

# The size comes after the start: ctr sets it when the process runs.
a_tty_merges_output_has_a_size_and_can_be_resized() {
  local output=$STACK/tty.out pid
  mkfifo "$STACK/tty.in"
  # A terminal has no size until it is told; busybox may print nothing of it, and no error.
  TERM=dumb script -qec "stty rows 33 cols 101; ctr --address $STACK/containerd/containerd.sock tasks exec \
    --fifo-dir $STACK/fifo -t --exec-id tty app \
    sh -c 'until s=\$(stty size 2>/dev/null); test \${#s} -gt 3; do sleep 0.1; done; echo \$s; tty; echo err >&2; read -r line; stty size'" /dev/null <"$STACK/tty.in" >"$output" &
  pid=$!
  exec 9>"$STACK/tty.in"
  wait_until 20 grep -q err "$output"
  task_call ResizePty 1=app 2=tty 3:=120 4:=40
  echo >&9
  wait $pid
  exec 9>&-
  expect size "$(tr -d '\r' <"$output")" '*33 101*/dev/pts/*err*40 120*'
}

statistics_come_from_the_guest() {
  local metrics
  metrics=$(stack_ctr tasks metrics app)
  expect metrics "$metrics" '*memory.usage*'
  expect metrics "$(awk '/memory.usage_in_bytes|memory.usage / && $2 > 0 { print "ok"; exit }' <<<"$metrics")" ok
}

pids_of_a_running_task_are_listed() {
  expect "lines" "$(stack_ctr tasks ps app | tail -n +2 | wc -l)" '[1-9]*'
}

pause_stops_and_resume_continues() {
  stack_ctr tasks pause app
  expect status "$(status_of app)" PAUSED
  stack_ctr tasks resume app
  expect status "$(status_of app)" RUNNING
  expect output "$(exec_in app echo 'run by exec')" 'run by exec'
}

update_changes_the_memory_limit() {
  task_call Update 1=app \
    '2@=types.containerd.io/opencontainers/runtime-spec/1/LinuxResources,{"memory":{"limit":100663296}}'
  expect limit "$(stack_ctr tasks metrics app | awk '$1 == "memory.usage_limit" { print $2 }')" 100663296
}

calls_out_of_order_are_refused() {
  local resources='2@=types.containerd.io/opencontainers/runtime-spec/1/LinuxResources'
  expect "start again" "$(task_call Start 1=app 2>&1)" '9 *'
  expect "create again" "$(task_call Create 1=app 2="$STACK/none" 2>&1)" '[56] *'
  expect "resume what runs" "$(task_call Resume 1=app 2>&1)" '9 *'
  expect "delete what runs" "$(task_call Delete 1=app 2>&1)" '9 *'
  expect "start an unknown exec" "$(task_call Start 1=app 2=none 2>&1)" '5 *'
  expect "resize without a terminal" "$(task_call ResizePty 1=app 3:=1 4:=1 2>&1)" '9 *'
  expect "a signal that is none" "$(task_call Kill 1=app 3:=99 2>&1)" '3 *'
  expect "resources that are none" "$(task_call Update 1=app "$resources,[" 2>&1)" '3 *'
  expect status "$(status_of app)" RUNNING
}

an_exec_id_in_use_is_refused() {
  local pid error status=0
  stack_ctr tasks exec --fifo-dir "$STACK/fifo" --exec-id twice app sleep 1000 &
  pid=$!
  wait_until 20 task_call State 1=app 2=twice >/dev/null 2>&1
  error=$(stack_ctr tasks exec --fifo-dir "$STACK/fifo" --exec-id twice app true 2>&1) || status=$?
  wait_until 20 stack_ctr tasks kill --exec-id twice --signal SIGKILL app 2>/dev/null
  wait $pid || true
  expect "exit code" $status 1
  expect error "$error" '*already exists*'
}

ids_that_are_no_names_are_refused() {
  local id process='7@=types.containerd.io/opencontainers/runtime-spec/1/Process,{"args":["true"],"cwd":"/"}'
  for id in .. / a/b ../../x 'a b' %00 a%00b "$(printf 'x%.0s' {1..10000})"; do
    expect "exec ${id:0:9}" "$(task_call Exec 1=app "2%=$id" "$process" 2>&1)" '3 *'
    expect "create ${id:0:9}" "$(task_call Create "1%=$id" 2="$STACK/none" 2>&1)" '3 *'
  done
  expect status "$(status_of app)" RUNNING
}

the_shim_outlives_garbage_on_its_socket() {
  task_call garbage
  expect output "$(exec_in app echo 'run by exec')" 'run by exec'
}

checkpoint_is_not_implemented() {
  local error
  error=$(stack_ctr tasks checkpoint app 2>&1) && return 1
  expect error "$error" '*not implemented*'
}

containerd_restarted_finds_its_tasks() {
  "$repository/tests/setup/containerd.sh" restart "$STACK/containerd" "$KATA_CC_BUILD/shim"
  expect status "$(status_of app)" RUNNING
  expect output "$(exec_in app echo 'run by exec')" 'run by exec'
}

a_killed_container_answers_137_and_leaves_the_pod() {
  stack_ctr tasks kill --signal SIGKILL app
  wait_until 20 has_status app STOPPED
  expect "exit code" "$(stack_ctr tasks delete app 2>&1)" '*exit code 137*'
  stack_ctr containers delete app
  expect "sandbox" "$(status_of web)" RUNNING
}

an_id_is_used_once_in_a_pod() {
  local options status=0 error
  mapfile -t options < <(pod_annotations container web)
  error=$(run_pod run-exec --rm "${options[@]}" -- app true 2>&1) || status=$?
  stack_ctr containers delete app >/dev/null 2>&1 || true
  expect "exit code" $status 1
  expect error "$error" '*container app exists, or did*'
  run_pod run-exec --rm "${options[@]}" -- app2 true
}

events_come_in_order() {
  local options wanted='create start exit delete' seen
  stack_ctr events >"$STACK/events" &
  local pid=$!
  sleep 0.5
  mapfile -t options < <(pod_annotations container web)
  run_pod run-exec --rm "${options[@]}" -- ev true
  sleep 0.5
  kill $pid
  seen=$(awk '$0 ~ /"container_id":"ev"/ && $0 ~ /\/tasks\// { sub(".*/tasks/", ""); print $1 }' "$STACK/events" | tr '\n' ' ')
  expect events "${seen% }" "$wanted"
}

removing_the_sandbox_ends_the_vm_and_leaves_nothing() {
  remove_pod web
  leaves_nothing
}

a_container_over_its_memory_limit_is_killed_with_an_event() {
  stack_ctr events >"$STACK/events" &
  local pid=$! status=0
  sleep 0.5
  # tail keeps its whole input in memory when it has no line end.
  run_pod run --rm --memory-limit 67108864 -- oom sh -c 'tail /dev/zero' >/dev/null || status=$?
  sleep 0.5
  kill $pid
  expect "exit code" $status 137
  expect events "$(grep -c /tasks/oom "$STACK/events")" '[1-9]*'
}

policy_that_denies_logs_shows_none() {
  local output
  run_pod exec-no-logs -d -- silent sleep 1000
  output=$(exec_in silent echo "run by exec" 2>&1)
  remove_pod silent
  expect output "$output" ''
}

refused() {  # refused ID PATTERN POLICY...: run_pod fails with the text, and leaves nothing
  local id=$1 pattern=$2 error status=0
  shift 2
  error=$(run_pod "$@" 2>&1) || status=$?
  stack_ctr containers delete "$id" >/dev/null 2>&1 || true
  expect "exit code" $status 1
  expect error "$error" "$pattern"
  leaves_nothing
}

without_a_policy_nothing_runs() {
  refused none '*is blocked by policy*' - --rm -- none true
}

a_policy_that_is_not_base64_is_refused() {
  refused bad '*base64*' - --rm --annotation 'io.katacontainers.config.agent.policy=%%%' -- bad true
}

a_policy_that_is_not_rego_is_refused() {
  echo 'this is not rego {' >"$STACK/bad.rego"
  refused bad '*policy*' "$STACK/bad.rego" --rm -- bad true
}

a_policy_over_the_limit_is_refused() {
  local error status=0
  stack_ctr oci spec | python3 -c 'import base64, json, sys
spec = json.load(sys.stdin)
policy = b"package agent_policy\n" + b"#" * (2 << 20)
spec["annotations"] = {"io.katacontainers.config.agent.policy": base64.b64encode(policy).decode()}
json.dump(spec, sys.stdout)' >"$STACK/large.json"
  error=$(stack_ctr run --rm --runtime io.containerd.kata-cc.v2 --config "$STACK/large.json" large 2>&1) ||
    status=$?
  stack_ctr containers delete large >/dev/null 2>&1 || true
  expect "exit code" $status 1
  expect error "$error" '*policy*larger than*'
  leaves_nothing
}

initdata() {  # initdata POLICY [VERSION]: the annotation
  printf 'io.katacontainers.config.hypervisor.cc_init_data=%s' "$( (
    printf 'version = "%s"\nalgorithm = "sha384"\n[data]\n"policy.rego" = """\n' "${2:-0.1.0}"
    cat "$here/policies/$1.rego"
    echo '"""'
  ) | gzip -n | base64 -w0)"
}

initdata_brings_the_policy() {
  expect output "$(run_pod - --rm --annotation "$(initdata run)" -- init1 echo 'by initdata')" 'by initdata'
}

initdata_and_policy_together_are_refused() {
  refused bad '*given together*' run --rm --annotation "$(initdata run)" -- bad true
}

initdata_of_another_version_is_refused() {
  refused bad '*version*' - --rm --annotation "$(initdata run 0.2.0)" -- bad true
}

a_container_type_that_is_unknown_is_refused() {
  refused bad '*container-type*' run --rm --annotation io.kubernetes.cri.container-type=other \
    --annotation io.kubernetes.cri.sandbox-id=bad -- bad true
}

a_command_that_the_policy_does_not_name_is_refused() {
  refused bad '*CreateContainerRequest is blocked by policy*' run --rm -- bad vi
}

a_program_that_is_not_there_is_an_error() {
  refused bad '*' run-exec --rm -- bad /nowhere/sleep
}

run_cases output_and_exit_code_of_a_plain_run \
  sandbox_and_container_share_one_vm a_plain_sandbox_takes_verified_layers_too exec_runs_in_the_container exec_exit_code_is_passed_on \
  exec_that_the_policy_does_not_name_is_refused stdin_reaches_an_exec_and_its_end_ends_it \
  a_megabyte_through_stdin_and_stdout_is_unchanged a_signal_ends_an_exec_with_128_plus_its_number \
  a_tty_merges_output_has_a_size_and_can_be_resized statistics_come_from_the_guest \
  pids_of_a_running_task_are_listed pause_stops_and_resume_continues \
  update_changes_the_memory_limit calls_out_of_order_are_refused \
  an_exec_id_in_use_is_refused ids_that_are_no_names_are_refused \
  the_shim_outlives_garbage_on_its_socket checkpoint_is_not_implemented \
  containerd_restarted_finds_its_tasks a_killed_container_answers_137_and_leaves_the_pod \
  an_id_is_used_once_in_a_pod events_come_in_order \
  removing_the_sandbox_ends_the_vm_and_leaves_nothing \
  a_container_over_its_memory_limit_is_killed_with_an_event policy_that_denies_logs_shows_none \
  without_a_policy_nothing_runs a_policy_that_is_not_base64_is_refused \
  a_policy_that_is_not_rego_is_refused a_policy_over_the_limit_is_refused initdata_brings_the_policy \
  initdata_and_policy_together_are_refused initdata_of_another_version_is_refused \
  a_container_type_that_is_unknown_is_refused \
  a_command_that_the_policy_does_not_name_is_refused a_program_that_is_not_there_is_an_error
