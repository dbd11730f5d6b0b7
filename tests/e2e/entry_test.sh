#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shim's entry points, as containerd calls them, without a VM: entry_test.sh SHIM
set -euo pipefail
shim=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
STACK=$(mktemp -d /tmp/kata-cc-entry.XXXXXX)
address=$STACK/containerd.sock # In no use; it makes the sockets' names ours.

clean_up() {
  local pid
  for pid in $(pgrep -f "containerd-shim-kata-cc-v2 .*-address $address"); do kill -9 "$pid"; done
  rm -rf "$STACK"
}
trap clean_up EXIT
show_logs() { :; }

bundle() {  # bundle ID [ANNOTATIONS]: makes one and goes there.
  mkdir -p "$STACK/$1/rootfs"
  cd "$STACK/$1"
  echo "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"},\"root\":{\"path\":\"rootfs\"},
    \"annotations\":{${2:-}},\"linux\":{}}" >config.json
}
call() {  # call ID ACTION [OPTION...]: as containerd does; stdout and stderr in one.
  local id=$1 action=$2
  shift 2
  timeout 20 "$shim" -namespace default -address "$address" -publish-binary /bin/true -id "$id" "$@" \
    "$action" </dev/null 2>&1
}
shims() { pgrep -fc "containerd-shim-kata-cc-v2 .*-address $address"; }
in_pod() {
  echo "\"io.kubernetes.cri.container-type\":\"$1\",\"io.kubernetes.cri.sandbox-id\":\"$2\""
}

start_answers_with_an_address_that_is_also_in_a_file() {
  local answer
  bundle one
  answer=$(call one start) # Returns although the server lives on: its pipe is not held open.
  expect answer "$answer" 'unix:///run/containerd/s/*'
  [[ ${#answer} -le 114 ]] # 106 bytes of path.
  expect "address file" "$(cat address)" "$answer"
  expect mode "$(stat -c %a "${answer#unix://}")" 600
  expect shims "$(shims)" 1
}

a_second_start_finds_the_first_and_starts_nothing() {
  local again
  cd "$STACK/one"
  again=$(call one start)
  expect answer "$again" "$(cat address)"
  expect shims "$(shims)" 1
}

a_container_of_the_pod_gets_its_sandbox_s_address() {
  local answer
  bundle app "$(in_pod container one)"
  answer=$(call app start)
  expect answer "$answer" "$(cat "$STACK/one/address")"
  expect shims "$(shims)" 1
}

many_starts_at_once_agree() {
  local i
  bundle many
  for i in {1..8}; do call many start >"$STACK/many.$i" & done
  wait
  expect answers "$(sort -u "$STACK"/many.? | wc -l)" 1
  expect shims "$(shims)" 2
}

deleting_a_container_of_the_pod_leaves_the_sandbox_alone() {
  cd "$STACK/app"
  call app delete -bundle "$STACK/app" >/dev/null
  expect shims "$(shims)" 2
}

delete_of_a_living_sandbox_leaves_it_alone() {
  call one delete -bundle "$STACK/one" >/dev/null
  expect shims "$(shims)" 2
}

delete_after_the_shim_was_killed_removes_its_traces_and_can_be_repeated() {
  local socket pid
  cd "$STACK/many"
  socket=$(cat address)
  pid=$(pgrep -f "containerd-shim-kata-cc-v2 .*-address $address .*-id many")
  kill -9 "$pid"
  for _ in 1 2; do
    # DeleteResponse: exit_status (field 2) 137 = 0x89 0x01.
    timeout 20 "$shim" -namespace default -address "$address" -publish-binary /bin/true -id many \
      -bundle "$STACK/many" delete </dev/null >"$STACK/response"
    expect response "$(od -An -tx1 "$STACK/response" | tr -d " \n")" '108901*'
  done
  [[ ! -e ${socket#unix://} ]]
  rm -r "$STACK/many"
  cd /
  call many delete -bundle "$STACK/many" >/dev/null # Without a bundle, too.
}

refused_start() {  # refused_start ID PATTERN: one line, no socket, no address, no process.
  local error status=0 before
  before=$(find /run/containerd/s | wc -l)
  error=$(call "$1" start) || status=$?
  [[ $status -ne 0 ]]
  expect error "$error" "$2"
  expect lines "$(wc -l <<<"$error")" 1
  [[ ! -e address ]]
  expect sockets "$(find /run/containerd/s | wc -l)" "$before"
  [[ -z $(pgrep -f "containerd-shim-kata-cc-v2 .*-address $address .*-id $1 ") ]]
}

a_missing_or_broken_bundle_is_one_clean_line() {
  mkdir "$STACK/none" && cd "$STACK/none"
  refused_start none '*config.json*No such file*'
  printf '{"ociVersion": "1.0.2", "process": ' >config.json
  refused_start none 'kata-cc: *config.json*'
  head -c 100000 /dev/zero | tr '\0' '[' >config.json
  refused_start none 'kata-cc: *config.json*'
}

unknown_annotation_values_are_refused() {
  bundle odd "$(in_pod other odd)"
  refused_start odd '*container-type*'
  bundle odd "$(in_pod container ../../etc)"
  refused_start odd 'kata-cc: *'
}

a_container_whose_sandbox_has_no_shim_is_refused() {
  bundle lost "$(in_pod container nowhere)"
  refused_start lost '*sandbox nowhere: no shim serves it*'
}

ids_that_are_no_names_are_refused() {
  local id
  bundle ids
  for id in .. a/b 'a b' "$(printf 'x%.0s' {1..10000})"; do
    must_fail call "$id" start >/dev/null
    must_fail call "$id" delete -bundle "$STACK/ids" >/dev/null
  done
}

flags_that_are_unknown_are_refused() {
  must_fail "$shim" -nonsense start 2>/dev/null
  must_fail "$shim" -namespace 2>/dev/null
  must_fail "$shim" -namespace default -id one restart 2>/dev/null
}

info_names_the_runtime() {
  # RuntimeInfo: name is field 1, version field 2.
  expect info "$("$shim" -info </dev/null | tr -d '\0')" $'\n\x18io.containerd.kata-cc.v2*'
}

calls_without_a_task_have_the_right_codes() {
  local socket call code
  socket=$(cat "$STACK/one/address")
  while IFS='|' read -r code call; do
    # shellcheck disable=SC2086
    expect "$call" "$("$here/task_call.py" "$socket" $call 2>&1)" "$code *"
  done <<'CALLS'
5|State 1=none
5|Start 1=none
5|Delete 1=none
5|Pids 1=none
5|Kill 1=none 3:=9
5|Exec 1=none 2=x 7@=types.containerd.io/opencontainers/runtime-spec/1/Process,{"args":["sh"],"cwd":"/"}
3|Exec 1=none 2=x 7@=types.containerd.io/opencontainers/runtime-spec/1/Process,{
3|Exec 1=none 2=a/../b
5|Wait 1=none
5|Pause 1=none
5|Resume 1=none
5|Stats 1=none
5|Update 1=none 2@=types.containerd.io/opencontainers/runtime-spec/1/LinuxResources,{}
5|ResizePty 1=none
5|CloseIO 1=none 3:=1
12|Checkpoint 1=none
12|Launch 1=none
3|Create 1=../x 2=/nowhere
5|Create 1=one 2=/nowhere
CALLS
  expect Connect "$("$here/task_call.py" "$socket" Connect 1=none)" '08*'
}

garbage_on_the_socket_ends_its_connection_only() {
  "$here/task_call.py" "$(cat "$STACK/one/address")" garbage
  expect shims "$(shims)" 1
}

shutdown_ends_a_shim_without_tasks() {
  local socket
  bundle short
  socket=$(call short start)
  "$here/task_call.py" "$socket" Shutdown 1=short
  for _ in {1..100}; do [[ -e ${socket#unix://} ]] || break; sleep 0.1; done
  [[ ! -e ${socket#unix://} ]]
}

a_shim_is_killed_for_memory_before_containerd() {
  local pid
  pid=$(pgrep -f "containerd-shim-kata-cc-v2 .*-address $address .*-id one ")
  expect oom_score_adj "$(cat "/proc/$pid/oom_score_adj")" $(($(cat /proc/self/oom_score_adj) + 1))
}

sigterm_ends_a_shim_and_its_socket() {
  local pid socket
  cd "$STACK/one"
  socket=$(cat address)
  pid=$(pgrep -f "containerd-shim-kata-cc-v2 .*-address $address .*-id one ")
  kill "$pid"
  for _ in {1..100}; do [[ -e /proc/$pid ]] || break; sleep 0.1; done
  [[ ! -e /proc/$pid && ! -e ${socket#unix://} ]]
  expect shims "$(shims)" 0
}

run_cases start_answers_with_an_address_that_is_also_in_a_file \
  a_second_start_finds_the_first_and_starts_nothing \
  a_container_of_the_pod_gets_its_sandbox_s_address many_starts_at_once_agree \
  deleting_a_container_of_the_pod_leaves_the_sandbox_alone \
  delete_of_a_living_sandbox_leaves_it_alone \
  delete_after_the_shim_was_killed_removes_its_traces_and_can_be_repeated \
  a_missing_or_broken_bundle_is_one_clean_line unknown_annotation_values_are_refused \
  a_container_whose_sandbox_has_no_shim_is_refused ids_that_are_no_names_are_refused \
  flags_that_are_unknown_are_refused info_names_the_runtime \
  calls_without_a_task_have_the_right_codes garbage_on_the_socket_ends_its_connection_only \
  shutdown_ends_a_shim_without_tasks a_shim_is_killed_for_memory_before_containerd sigterm_ends_a_shim_and_its_socket
