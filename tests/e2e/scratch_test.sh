#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What containers of a confidential pod write to disks of the host's: writable layers and emptyDirs
# that the guest encrypts, and block devices handed on as they are. One pod, one boot.
set -euo pipefail
export STACK_TEE=sim STACK_SNAPSHOTTER=kata-cc
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
sim_dir=$(mktemp -d -u /tmp/kata-cc-sim.XXXXXX)
# shellcheck disable=SC2034 # read by stack.sh
STACK_HYPERVISOR="sim_dir = \"$sim_dir\""
# shellcheck disable=SC2034 # read by stack.sh
STACK_RUNTIME='scratch = "block-encrypted"
emptydir_mode = "block-encrypted"
scratch_size = 96'
cleanup() {
  [[ ! -e $STACK/loop ]] || losetup --detach "$(<"$STACK/loop")" || true
  rm -rf "$sim_dir"
  stack_stop
}
trap cleanup EXIT
stack_start
marker=NEEDLE-OF-THE-GUEST
empty_dir=$STACK/pods/0/volumes/kubernetes.io~empty-dir/cache
mkdir -p "$empty_dir"

# The author's policy names the form in which a disk becomes encrypted storage.
make_policy() {
  sed -e 's/count(input.devices) == 0/every device in input.devices { device.container_path == "\/dev\/data" }\n\tevery storage in input.storages { in_form(storage) }/' \
    -e 's/^ExecProcessRequest if {/ExecProcessRequest if input.process.Args[0] == "cat"\n\n&/' \
    "$here/policies/run-exec.rego"
  cat <<'REGO'

in_form(storage) if storage.driver_options == []

in_form(storage) if {
	storage.driver == "blk"
	storage.driver_options == ["encryption_key=ephemeral", "create_filesystem"]
	storage.fstype == "ext4"
	storage.options == []
	placed(storage)
}

placed(storage) if {
	storage.shared
	storage.mount_point == concat("", ["/run/kata-containers/sandbox/storage/", base64url.encode(storage.source)])
}

placed(storage) if {
	not storage.shared
	storage.mount_point == concat("", ["/run/kata-containers/", input.container_id, "/scratch"])
}
REGO
}

in_pod() {  # in_pod [OPTION...] -- ID COMMAND...
  run_pod "$STACK/policy.rego" --annotation io.kubernetes.cri.container-type=container \
    --annotation io.kubernetes.cri.sandbox-id=web \
    --mount "type=bind,src=$empty_dir,dst=/cache,options=rbind:rw" "$@"
}
script_in() { exec_in "$1" sh <<<"$2"; }
disks() { find "$STACK/images" -type f -name "$1*"; }
# Of the emptyDir: in it, where kubelet measures what of its sizeLimit is used.
volume_disk=$empty_dir/disk.img

a_container_writes_to_encrypted_disks() {
  make_policy >"$STACK/policy.rego"
  run_pod "$STACK/policy.rego" -d --annotation io.kubernetes.cri.container-type=sandbox \
    --annotation io.kubernetes.cri.sandbox-id=web -- web /pause
  expect "disks of the pause container" "$(disks '')" ''
  in_pod -d -- app sleep 100000
  expect output "$(script_in app "yes $marker | head -c 4194304 >/data; cp /data /cache/data; sync; wc -c </cache/data")" 4194304
  local types
  types=$(script_in app "stat -f -c %T / /cache; ls -a /cache | wc -l")
  expect "file systems, and no lost+found" "$types" $'*\next*\n3'
}

the_host_has_no_plain_text() {
  local disk
  for disk in "$(disks s)" "$volume_disk"; do
    [[ $(stat -c %b "$disk") -ge 8192 ]] || { echo "$disk: not written" >&2; return 1; }
    expect "size" "$(stat -c %s "$disk")" $((96 << 20))
    must_fail grep -qa "$marker" "$disk"
    # Not compressible either: no pattern of the plain text shows.
    [[ $(tr -d '\0' <"$disk" | gzip -1 | wc -c) -gt $((4 << 20)) ]]
  done
}

a_changed_block_is_an_io_error() {
  local disk output
  for disk in "$(disks s)" "$volume_disk"; do
    python3 - "$disk" <<'PY'
import sys
with open(sys.argv[1], "r+b") as disk:
    at = 8 << 20 # Behind the first metadata, which the guest has in its cache anyhow.
    while True:
        disk.seek(at); block = disk.read(4096)
        if not block: break
        if block.strip(b"\0"): disk.seek(at + at // 4096 % 4096); disk.write(bytes([block[at // 4096 % 4096] ^ 1]))
        at += 4096
PY
  done
  for output in /data /cache/data; do
    output=$(script_in app "dd if=$output of=/tmp/got bs=65536 iflag=direct 2>&1 || echo failed")
    expect "reading past the cache" "$output" '*@(nput/output error|multibyte)*failed' # EIO or EILSEQ
  done
  expect "the pod" "$(status_of web)" RUNNING
}

a_disk_goes_with_its_container_and_the_volume_stays() {
  remove_pod app
  expect "disks of containers" "$(disks s)" ''
  [[ -s $volume_disk ]]
}

a_container_that_fills_its_disk_gets_enospc_and_the_pod_survives() {
  local output
  output=$(in_pod --rm -- full sh -c 'dd if=/dev/zero of=/big bs=1M 2>&1; echo alive')
  expect output "$output" '*No space left on device*alive'
  expect "the pod" "$(status_of web)" RUNNING
}

a_container_that_fills_the_guests_memory_gets_enospc_and_the_pod_survives() {
  local output
  # The pause container's layer is in memory.
  output=$(script_in web 'dd if=/dev/zero of=/big bs=1M 2>&1; rm /big; echo alive')
  expect output "$output" '*No space left on device*alive'
  output=$(script_in web 'df -k /dev/shm | tail -n 1')
  expect "size of /dev/shm" "$output" '*65536*'
}

an_empty_dir_lives_as_long_as_the_sandbox() {
  local cache=$STACK/pods/0/volumes/kubernetes.io~empty-dir/other
  mkdir -p "$cache"
  local mount="type=bind,src=$cache,dst=/other,options=rbind:rw"
  in_pod --mount "$mount" --rm -- init sh -c 'echo kept >/other/file'
  in_pod --mount "$mount" -d -- next sleep 100000
  expect "the file of a container that is gone" "$(exec_in next cat /other/file)" kept
  remove_pod next
}

a_block_device_is_handed_on() {
  truncate -s 16M "$STACK/block"
  printf 'of the host' | dd of="$STACK/block" conv=notrunc status=none
  local loop
  loop=$(losetup --show --find "$STACK/block")
  echo "$loop" >"$STACK/loop"
  in_pod -d --device "$loop" -- raw sleep 100000 2>"$STACK/err" && return 1
  expect "a device that the policy does not name" "$(<"$STACK/err")" '*blocked by policy*'
  stack_ctr containers delete raw
  sed -i "s#\"/dev/data\"#\"$loop\"#" "$STACK/policy.rego"
}

block_devices_in_a_pod_of_their_own() {
  local output loop
  loop=$(<"$STACK/loop")
  remove_pod web
  leaves_nothing
  run_pod "$STACK/policy.rego" -d --device "$loop" -- raw sleep 100000
  output=$(script_in raw "head -c 11 $loop; echo; printf 'of the guest' | dd of=$loop bs=512 seek=8 conv=fsync 2>/dev/null; ls -l $loop")
  expect output "$output" $'of the host\nbr*'
  expect "what the guest wrote" "$(dd if="$loop" bs=512 skip=8 count=1 iflag=direct status=none | head -c 12)" 'of the guest'
  remove_pod raw
}

other_devices_are_refused() {
  local status=0 error
  error=$(run_pod "$STACK/policy.rego" --rm --device /dev/urandom -- char true 2>&1) || status=$?
  stack_ctr containers delete char >/dev/null 2>&1 || true
  expect "exit code" $status 1
  expect error "$error" '*device /dev/urandom: only block devices reach a guest*'
}

nothing_is_left() {
  leaves_nothing
  [[ ! -e $volume_disk ]]
}

run_cases a_container_writes_to_encrypted_disks the_host_has_no_plain_text a_changed_block_is_an_io_error \
  a_disk_goes_with_its_container_and_the_volume_stays \
  a_container_that_fills_its_disk_gets_enospc_and_the_pod_survives \
  a_container_that_fills_the_guests_memory_gets_enospc_and_the_pod_survives \
  an_empty_dir_lives_as_long_as_the_sandbox a_block_device_is_handed_on \
  block_devices_in_a_pod_of_their_own other_devices_are_refused nothing_is_left
