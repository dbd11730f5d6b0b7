#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What happens when a part dies: QEMU, the shim, a guest that never boots.
set -euo pipefail
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
trap stack_stop EXIT
stack_start

# FIFOs are the client's, which removes them with the task; here the task goes without it.
remove_fifos() { rm -rf "$STACK"/fifo/*; }

qemu_killed_ends_every_task_and_leaves_nothing() {
  run_pod run-exec -d -- victim sleep 1000
  kill -9 "$(stack_vmms victim)"
  wait_until 20 has_status victim STOPPED
  expect "exit code" "$(stack_ctr tasks delete victim 2>&1)" '*exit code 255*'
  stack_ctr containers delete victim
  leaves_nothing
}

shim_killed_is_cleaned_up_by_delete() {
  run_pod run-exec -d -- orphan sleep 1000
  kill -9 "$(stack_shims)"
  wait_until 30 has_status orphan '' || stack_ctr tasks delete --force orphan || true
  stack_ctr containers delete orphan
  remove_fifos
  leaves_nothing
}

shim_and_containerd_killed_are_cleaned_up_after_the_restart() {
  run_pod run-exec -d -- orphan2 sleep 1000
  kill -9 "$(<"$STACK/containerd/containerd.pid")" "$(stack_shims)"
  "$repository/tests/setup/containerd.sh" restart "$STACK/containerd" "$KATA_CC_BUILD/shim"
  expect tasks "$(stack_ctr tasks ls -q)" ''
  stack_ctr containers delete orphan2
  remove_fifos
  leaves_nothing
}

a_guest_that_never_boots_is_an_error_with_its_console() {
  local error status=0
  head -c 4096 /dev/zero >"$STACK/broken-initrd.img"
  sed -e "s#^initrd = .*#initrd = \"$STACK/broken-initrd.img\"#" -e 's#^dial_timeout = .*#dial_timeout = 60#' \
    "$STACK/configuration.toml" >"$STACK/broken.toml"
  error=$(run_pod run --rm --runtime-config-path "$STACK/broken.toml" -- noboot true 2>&1) || status=$?
  stack_ctr containers delete noboot >/dev/null 2>&1 || true
  expect "exit code" $status 1
  expect error "$error" '*Kernel panic*'
  leaves_nothing
}

# Its kernel is well, and its init waits for ever.
a_guest_that_hangs_is_an_error_within_the_timeout_with_its_console() {
  local error status=0 began=$SECONDS root=$STACK/hang
  mkdir "$root"
  install "$KATA_CC_BUILD/tests/bench/raw_init" "$root/init"
  (cd "$root" && echo init | cpio --quiet -o -H newc) >"$STACK/hang.img"
  sed -e "s#^initrd = .*#initrd = \"$STACK/hang.img\"#" -e 's#^dial_timeout = .*#dial_timeout = 45#' \
    "$STACK/configuration.toml" >"$STACK/hang.toml"
  error=$(run_pod run --rm --runtime-config-path "$STACK/hang.toml" -- hang true 2>&1) || status=$?
  stack_ctr containers delete hang >/dev/null 2>&1 || true
  expect "exit code" $status 1
  expect error "$error" '*did not come up in time*KATA-CC-RAW-BOOT*'
  ((SECONDS - began < 75))
  leaves_nothing
}

run_cases qemu_killed_ends_every_task_and_leaves_nothing shim_killed_is_cleaned_up_by_delete \
  shim_and_containerd_killed_are_cleaned_up_after_the_restart \
  a_guest_that_never_boots_is_an_error_with_its_console \
  a_guest_that_hangs_is_an_error_within_the_timeout_with_its_console
