#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The shim's entry points, as containerd calls them, without a VM: entry_test.sh SHIM
set -euo pipefail
shim=$(realpath "$1")
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
  flags_that_are_unknown_are_refused info_names_the_runtime sigterm_ends_a_shim_and_its_socket
