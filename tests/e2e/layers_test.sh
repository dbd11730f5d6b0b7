#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A host that tampers with verified layers under a running confidential pod: the real files of the
# snapshotter, and the list of them that the shim gets. All in one pod, whose policy pins the root
# hashes, sizes and order of each container's layers.
set -euo pipefail
export STACK_TEE=sim STACK_SNAPSHOTTER=kata-cc
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
sim_dir=$(mktemp -d -u /tmp/kata-cc-sim.XXXXXX)
# shellcheck disable=SC2034 # read by stack.sh
STACK_HYPERVISOR="sim_dir = \"$sim_dir\""
trap 'rm -rf "$sim_dir"; stack_stop' EXIT
stack_start
pod_image=$IMAGE_NAME
needle_bytes=$((1 << 20))

# Busybox; three files of 1 MiB whose bytes are all different places'; two small layers. The images
# "swapped", "fewer" and "more" have other layers than the policy names.
make_images() {
  local work=$STACK/make n
  mkdir -p "$work"/{base,1,2/etc,3/etc}
  tar -xf "$STACK/busybox.tar" -C "$work/base"
  cp "$work/base/$(jq -r '.[0].Layers[0]' "$work/base/manifest.json")" "$work/0.tar"
  for n in 1 2 3; do
    { seq -f "needle $n %09.0f" 100000 || true; } | head -c $needle_bytes >"$work/1/needle$n"
  done
  echo two >"$work/2/etc/top"
  touch "$work/2/etc/.wh.group"
  echo three >"$work/3/etc/top"
  for n in 1 2 3; do
    tar -C "$work/$n" --sort=name --mtime=@1700000000 --owner=0 --group=0 -cf "$work/$n.tar" .
  done
  make_image pinned 0 1 2 3
  make_image swapped 0 2 1 3
  make_image fewer 0 1 3
  make_image more 0 1 2 3 4
  for n in {10..54}; do
    mkdir -p "$work/$n"
    echo "$n" | tee "$work/$n/top" >"$work/$n/of$n"
    tar -C "$work/$n" --sort=name --mtime=@1700000000 --owner=0 --group=0 -cf "$work/$n.tar" .
  done
  make_image many 0 {10..54}
}
make_image() {  # make_image NAME LAYER...
  local name=$1 work=$STACK/make n ids=() names=()
  shift
  rm -rf "$work/archive"
  mkdir -p "$work/archive" "$work/4/etc"
  echo four >"$work/4/etc/top"
  [[ -e $work/4.tar ]] || tar -C "$work/4" --mtime=@1700000000 -cf "$work/4.tar" .
  for n in "$@"; do
    cp "$work/$n.tar" "$work/archive/$n.tar"
    ids+=("sha256:$(sha256sum "$work/$n.tar" | cut -d' ' -f1)")
    names+=("$n.tar")
  done
  jq -n '{architecture: "amd64", os: "linux", config: {Env: ["PATH=/bin"], Cmd: ["sh"]},
    rootfs: {type: "layers", diff_ids: $ARGS.positional}}' --args "${ids[@]}" >"$work/archive/config.json"
  jq -n '[{Config: "config.json", RepoTags: [$tag], Layers: $ARGS.positional}]' \
    --arg tag "docker.io/library/kata-cc-$name:1" --args "${names[@]}" >"$work/archive/manifest.json"
  tar -C "$work/archive" -cf "$work/$name.tar" .
  "$KATA_CC_BUILD/shim/ctl/kata-ccctl" layer hash --json "$work/$name.tar" >"$STACK/$name.json"
  stack_ctr images import --snapshotter kata-cc "$work/$name.tar" >/dev/null
}

file_of() { echo "$STACK/snapshotter/layers/$(jq -r ".[$1].diff_id" "$STACK/pinned.json" | cut -c8-).img"; }
blocks_of() { jq -r ".[$1].data_blocks" "$STACK/pinned.json"; }
needle_at() { grep -abo "needle $1 000000001" "$(file_of 1)" | cut -d: -f1; }

pins_of() { jq -c '[.[] | "root-hash=\(.root_hash) data-blocks=\(.data_blocks)"] | reverse' "$STACK/$1.json"; }

# Pins what each container's layers are, top first, and that the overlay has them in that order.
make_policy() {
  # The exec of `cat` with a file, too.
  sed -e 's/^CreateContainerRequest if {/&\n\tlayers in [expected, many, [expected[count(expected) - 1]]]/' \
    -e 's/^ExecProcessRequest if {/ExecProcessRequest if input.process.Args[0] == "cat"\n\n&/' \
    "$here/policies/run-exec.rego"
  cat <<REGO

expected := $(pins_of pinned)

many := $(pins_of many)

layers := [text |
	some storage in input.storages
	storage.driver == "blk"
	text := concat(" ", [trim_prefix(option, "io.katacontainers.fs-opt.") |
		some option in storage.options
		contains(option, "=")
		not contains(option, "block_device")
	])
]
REGO
}

in_pod() {  # in_pod NAME [OPTION...] -- ID COMMAND...: a container of the pod on an image
  local IMAGE_NAME=docker.io/library/kata-cc-$1:1
  shift
  run_pod "$STACK/policy.rego" --annotation io.kubernetes.cri.container-type=container \
    --annotation io.kubernetes.cri.sandbox-id=web "$@"
}

flip() {  # flip FILE OFFSET: one bit
  python3 - "$1" "$2" <<'PY'
import sys
with open(sys.argv[1], "r+b") as image:
    image.seek(int(sys.argv[2])); byte = image.read(1)[0]
    image.seek(int(sys.argv[2])); image.write(bytes([byte ^ 1]))
PY
}

the_pod_and_its_pinned_layers_run() {
  make_policy >"$STACK/policy.rego"
  IMAGE_NAME=$pod_image run_pod "$STACK/policy.rego" -d --annotation io.kubernetes.cri.container-type=sandbox \
    --annotation io.kubernetes.cri.sandbox-id=web -- web /pause
  in_pod pinned --rm -- pinned sh -c 'cat /etc/top; [ -e /etc/group ] || echo hidden; cat /needle1 /needle2 /needle3' >"$STACK/out"
  expect "the upper file and the whiteout" "$(head -n 2 "$STACK/out")" $'three\nhidden'
  tail -n +3 "$STACK/out" | cmp - <(cat "$STACK"/make/1/needle*)
}

other_layers_than_the_policys_are_refused() {
  local name status error
  for name in swapped fewer more; do
    status=0
    error=$(in_pod $name --rm -- $name true 2>&1) || status=$?
    expect "exit code, $name" $status 1
    expect "error, $name" "$error" '*CreateContainerRequest is blocked by policy*'
  done
}

# evil_create ID JQ-FILTER: Create of a container by a host that gives the shim another list of
# layers than the snapshotter's; "needle layer" is .layers[2] (top first). Says the answer.
evil_create() {
  local id=$1 bundle=$STACK/evil-$1 list
  list=$(stack_ctr snapshots --snapshotter kata-cc mounts "$STACK/none" genuine |
    grep -o 'kata-cc-layers:[^ ,]*' | sed 's/^kata-cc-layers://')
  mkdir -p "$bundle"
  jq "$2" "$list" >"$bundle/list.json"
  jq --arg id "$id" '.process.args = ["sh", "-c", "cat /needle1 /needle2 /needle3 | sha256sum >/tmp/sum"]' \
    "$STACK/genuine.json" >"$bundle/config.json"
  "$here/task_call.py" "$(<"$STACK/containerd/state/io.containerd.runtime.v2.task/default/web/address")" \
    Create 1="$id" 2="$bundle" "3{}=1=overlay;2=kata-cc-layers:$bundle/list.json" 2>&1
}
# A container that only lends its bundle and snapshot.
make_genuine() {
  in_pod pinned -d -- genuine sleep 100000
  cp "$STACK/containerd/state/io.containerd.runtime.v2.task/default/genuine/config.json" "$STACK/genuine.json"
  stack_ctr tasks kill --signal SIGKILL genuine
  wait_until 20 has_status genuine STOPPED
  stack_ctr tasks delete genuine >/dev/null 2>&1 || true
}
refused_list() {  # refused_list WHAT JQ-FILTER PATTERN
  local answer status=0
  answer=$(evil_create "evil$RANDOM$RANDOM" "$2") || status=$?
  expect "$1: exit code" $status 1
  expect "$1: error" "$answer" "$3"
}

a_list_of_other_layers_is_refused() {
  refused_list "other order" '.layers |= [.[1], .[0]] + .[2:]' '*blocked by policy*'
  refused_list "one too few" '.layers |= .[1:]' '*blocked by policy*'
  refused_list "one too many" '.layers |= [.[3]] + .' '*blocked by policy*'
  refused_list "none" '.layers = []' '*verified layers*'
  refused_list "another root hash" '.layers[2].root_hash |= "00" + .[2:]' '*blocked by policy*'
  refused_list "another size" '.layers[2].data_blocks -= 1' '*blocked by policy*'
}

# with_copy WHAT PATTERN COMMAND...: the needle layer's file is a copy on which COMMAND FILE was run.
with_copy() {
  local what=$1 pattern=$2 copy
  shift 2
  copy=$STACK/copy-$RANDOM$RANDOM
  cp "$(file_of 1)" "$copy"
  "$@" "$copy"
  refused_list "$what" ".layers[2].path = \"$copy\"" "$pattern"
}

a_changed_or_cut_file_is_refused_when_it_is_mounted() {
  local blocks size
  blocks=$(blocks_of 1)
  size=$(stat -c %s "$(file_of 1)")
  # shellcheck disable=SC2317 # called by with_copy
  flip_at() { flip "$2" "$1"; }
  with_copy "a bit of the superblock" '*layer*' flip_at 1100
  with_copy "a bit of the tree's top" '*layer*' flip_at $((blocks * 4096 + 8))
  with_copy "no tree" '*layer*' truncate -s $((blocks * 4096))
  with_copy "half of the data" '*layer*' truncate -s $((blocks * 2048 / 512 * 512))
  with_copy "half of the tree" '*layer*' truncate -s $(((blocks * 4096 + size) / 2 / 512 * 512))
  with_copy "zeros" '*layer*' sh -c "truncate -s 0 \$0 && truncate -s $size \$0"
}

another_layers_file_and_swapped_files_are_refused() {
  refused_list "another layer's file" '.layers[2].path = .layers[1].path' '*layer*'
  # shellcheck disable=SC2016 # of jq
  refused_list "swapped files" '.layers[1].path as $p | .layers[1].path = .layers[2].path | .layers[2].path = $p' '*layer*'
}

a_trailer_is_not_believed() {
  local copy=$STACK/trailer id=trailer answer address
  cp "$(file_of 1)" "$copy"
  flip "$copy" $(($(stat -c %s "$copy") - 4096 + 20))
  dd if=/dev/zero of="$copy" bs=1 count=512 conv=notrunc status=none seek=$(($(stat -c %s "$copy") - 512))
  answer=$(evil_create $id ".layers[2].path = \"$copy\"")
  address=$(<"$STACK/containerd/state/io.containerd.runtime.v2.task/default/web/address")
  "$here/task_call.py" "$address" Start 1=$id
  expect "exit status" "$("$here/task_call.py" "$address" Wait 1=$id)" '12*' # No field 1: status 0.
  "$here/task_call.py" "$address" Delete 1=$id
}

# reads_error CONTAINER FILE: an I/O error, and all bytes before it are the right ones.
reads_error() {
  local status=0
  exec_in "$1" cat "/$2" >"$STACK/got" 2>"$STACK/err" || status=$?
  expect "exit code of reading $2" $status 1
  expect "error of reading $2" "$(<"$STACK/err")" '*nput/output error*'
  cmp "$STACK/got" <(head -c "$(stat -c %s "$STACK/got")" "$STACK/make/1/$2")
  [[ $(stat -c %s "$STACK/got") -lt $needle_bytes ]]
}
reads_right() { exec_in "$1" cat "/$2" | cmp - "$STACK/make/1/$2"; }

bits_that_flip_under_a_running_container_are_io_errors() {
  local file leaf
  file=$(file_of 1)
  cp "$file" "$STACK/saved"
  # A leaf of the tree that is all needle2's, before the guest has read any of it.
  leaf=$((($(needle_at 2) + 524287) / 524288))
  flip "$file" $(($(blocks_of 1) * 4096 + 4096 + leaf * 4096 + 40))
  in_pod pinned -d -- running sleep 100000
  flip "$file" $(($(needle_at 1) + 700000))
  reads_error running needle1
  reads_error running needle2
  reads_right running needle3
  expect "the rest" "$(exec_in running cat /etc/top)" three
  cat "$STACK/saved" >"$file"
  remove_pod running
}

a_file_cut_under_a_running_container_is_an_io_error() {
  local file
  file=$(file_of 1)
  cp "$file" "$STACK/saved"
  in_pod pinned -d -- cut sleep 100000
  reads_right cut needle1
  truncate -s $((($(needle_at 2) + 400000) / 4096 * 4096)) "$file"
  reads_error cut needle2
  reads_error cut needle3
  cat "$STACK/saved" >"$file"
  remove_pod cut
}

# The pod is whole after all that.
the_pod_still_runs_what_is_right() {
  expect "the upper file" "$(in_pod pinned --rm -- last cat /etc/top)" three
  expect status "$(status_of web)" RUNNING
}

one_disk_serves_the_containers_of_a_pod() {
  local domain
  in_pod pinned -d -- one sleep 100000
  in_pod pinned -d -- two sleep 100000
  domain=$(virsh -q -c "$LIBVIRT_URI" list --name | head -n 1)
  expect disks "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c snapshotter/layers)" 4
  remove_pod two
  expect disks "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c snapshotter/layers)" 4
  remove_pod one
  # The pause container's layer is busybox.
  expect disks "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c snapshotter/layers)" 1
}

# More than a PCI bridge has slots for, beside the disks of another container.
a_container_has_46_layers() {
  local domain
  in_pod pinned -d -- beside sleep 100000
  in_pod many -d -- many sleep 100000
  domain=$(virsh -q -c "$LIBVIRT_URI" list --name | head -n 1)
  expect disks "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c snapshotter/layers)" 49
  expect "the top and the lowest" "$(exec_in many cat /top /of10 /of54)" $'54\n10\n54'
  exec_in beside cat /etc/top
  remove_pod many
  expect disks "$(virsh -q -c "$LIBVIRT_URI" domblklist "$domain" | grep -c snapshotter/layers)" 4
  remove_pod beside
}

nothing_is_left() {
  remove_pod web
  stack_ctr containers delete genuine
  leaves_nothing
}

make_images
run_cases the_pod_and_its_pinned_layers_run make_genuine other_layers_than_the_policys_are_refused \
  a_list_of_other_layers_is_refused a_changed_or_cut_file_is_refused_when_it_is_mounted \
  another_layers_file_and_swapped_files_are_refused a_trailer_is_not_believed \
  bits_that_flip_under_a_running_container_are_io_errors a_file_cut_under_a_running_container_is_an_io_error \
  the_pod_still_runs_what_is_right one_disk_serves_the_containers_of_a_pod \
  a_container_has_46_layers nothing_is_left
