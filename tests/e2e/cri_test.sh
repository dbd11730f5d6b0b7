#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kubernetes' way: containerd's CRI pulls an image with kata-cc-snapshotter, and runs a confidential
# pod on it, with an address of Debian's CNI plugins.
# KATA_CC_CONTAINERD: another containerd than the machine's, with its ctr beside it.
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
STACK_CRI=yes
registry_port=$((20000 + $$ % 20000))
registry_pid=
cleanup() {
  [[ ! $registry_pid ]] || kill "$registry_pid" 2>/dev/null || true
  [[ ! -e $STACK/loop ]] || losetup --detach "$(<"$STACK/loop")" || true
  stack_stop
  rm -rf "$sim_dir"
}
trap cleanup EXIT
stack_start
image=localhost:$registry_port/kata-cc-busybox:1
socket=$STACK/containerd/containerd.sock
cri() { "$here/cri_call.py" "$socket" "$@"; }
k8s() { stack_ctr -n k8s.io "$@"; }

a_cri_pull_gives_the_hashes_of_kata_ccctl() {
  local chain source
  cri ImageService/PullImage "{\"1\": {\"1\": \"$image\"}}"
  chain=sha256:$(tar -xOf "$STACK/busybox.tar" ./manifest.json | jq -r '.[0].Layers[0]' | cut -d. -f1)
  k8s snapshots --snapshotter kata-cc prepare probe "$chain" >/dev/null
  source=$(k8s snapshots --snapshotter kata-cc mounts "$STACK/none" probe | grep -o 'kata-cc-layers:[^ ,]*')
  expect "root hashes" "$(jq -r '.layers[].root_hash' "${source#kata-cc-layers:}")" \
    "$("$KATA_CC_BUILD/shim/ctl/kata-ccctl" layer hash --json "$STACK/busybox.tar" | jq -r '.[].root_hash')"
  k8s snapshots --snapshotter kata-cc rm probe
}

# The sandbox's configuration, with the policy of a file.
sandbox_config() {
  jq -n --arg policy "$(base64 -w0 "$1")" --arg logs "$STACK/logs" '{
    "1": {"1": "web", "2": "uid-1", "3": "default", "4": 0}, "2": "web", "3": $logs,
    "7": {"1": "io.katacontainers.config.agent.policy", "2": $policy},
    "8": {"2": {"1": {"1": 0, "2": 1, "3": 0}}}}'
}
container_config() {  # container_config NAME JQ-OBJECT COMMAND...
  local name=$1 more=$2
  shift 2
  jq -n --arg name "$name" --arg image "$image" '{"1": {"1": $name, "2": 0}, "2": {"1": $image},
    "3": $ARGS.positional, "11": ($name + ".log")} + '"$more" --args -- "$@"
}
create() {  # create NAME JQ-OBJECT COMMAND...: prints the id
  cri RuntimeService/CreateContainer "$(jq -n --arg pod "$(<"$STACK/pod")" \
    --argjson container "$(container_config "$@")" --argjson sandbox "$(sandbox_config "$STACK/policy.rego")" \
    '{"1": $pod, "2": $container, "3": $sandbox}')" | sed -n 's/^1: //p'
}
start() { cri RuntimeService/StartContainer "{\"1\": \"$1\"}"; }
ended() { [[ $(cri RuntimeService/ContainerStatus "{\"1\": \"$1\"}" | sed -n 's/^1\.3: //p') == 2 ]]; }
logs() { sed -E 's/^[^ ]+ (stdout|stderr) [FP] //' "$STACK/logs/$1.log"; }

a_cri_pod_runs() {
  mkdir -p "$STACK/logs"
  sed 's/count(input.devices) == 0/true/' "$here/policies/run-exec.rego" >"$STACK/policy.rego"
  # Hosts, host name and name servers.
  echo 'CopyFileRequest if startswith(input.path, "/run/kata-containers/shared/containers/")' >>"$STACK/policy.rego"
  cri RuntimeService/RunPodSandbox "$(jq -n --argjson config "$(sandbox_config "$STACK/policy.rego")" \
    '{"1": $config, "2": "kata-cc"}')" | sed -n 's/^1: //p' >"$STACK/pod"
  [[ -s $STACK/pod ]]
}

its_containers_run_and_log() {
  local id
  id=$(create hello '{}' sh -c 'echo from the pod; cat /etc/hostname; exit 3')
  start "$id"
  wait_until 30 ended "$id"
  expect log "$(logs hello)" $'from the pod\n*'
  expect "exit code" "$(cri RuntimeService/ContainerStatus "{\"1\": \"$id\"}" | sed -n 's/^1\.7: //p')" 3
  cri RuntimeService/RemoveContainer "{\"1\": \"$id\"}"
}

what_the_policy_does_not_name_is_refused() {
  local error
  error=$(create bad '{}' vi 2>&1) && error+=$(start "$error" 2>&1) && return 1
  expect error "$error" '*CreateContainerRequest is blocked by policy*'
}

# volumeDevices of a PersistentVolumeClaim: the kubelet passes the device's path.
a_block_volume_is_handed_on() {
  local id loop
  truncate -s 16M "$STACK/block"
  printf 'of the host' | dd of="$STACK/block" conv=notrunc status=none
  loop=$(losetup --show --find "$STACK/block")
  echo "$loop" >"$STACK/loop"
  id=$(create block "{\"8\": {\"1\": \"/dev/data\", \"2\": \"$loop\", \"3\": \"mrw\"}}" \
    sh -c 'head -c 11 /dev/data; echo; printf "of the guest" | dd of=/dev/data bs=512 seek=8 conv=fsync 2>/dev/null')
  start "$id"
  wait_until 30 ended "$id"
  expect log "$(logs block)" 'of the host'
  expect "what the guest wrote" \
    "$(dd if="$loop" bs=512 skip=8 count=1 iflag=direct status=none | head -c 12)" 'of the guest'
}

an_empty_dir_passes_from_an_init_container() {
  local volume=$STACK/pods/uid-1/volumes/kubernetes.io~empty-dir/work id mount
  mkdir -p "$volume"
  mount="{\"7\": {\"1\": \"/work\", \"2\": \"$volume\"}}"
  id=$(create init "$mount" sh -c 'echo kept >/work/file')
  start "$id"
  wait_until 30 ended "$id"
  cri RuntimeService/RemoveContainer "{\"1\": \"$id\"}"
  id=$(create app "$mount" cat /work/file)
  start "$id"
  wait_until 30 ended "$id"
  expect log "$(logs app)" kept
  [[ ! -e $volume/file ]] # Nothing of it is on the host.
}

the_pod_ends_and_leaves_nothing() {
  cri RuntimeService/StopPodSandbox "{\"1\": \"$(<"$STACK/pod")\"}"
  cri RuntimeService/RemovePodSandbox "{\"1\": \"$(<"$STACK/pod")\"}"
  leaves_nothing
}

cat >"$STACK/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $STACK/registry}}
http: {addr: "127.0.0.1:$registry_port"}
YAML
docker-registry serve "$STACK/registry.yml" </dev/null >"$STACK/registry.log" 2>&1 &
registry_pid=$!
wait_until 20 curl -sf "http://localhost:$registry_port/v2/" -o "$STACK/registry.answer"
stack_ctr images tag "$IMAGE_NAME" "$image" >/dev/null
stack_ctr images push --plain-http "$image" >/dev/null
# The sandbox's image: the same layer with another command.
mkdir "$STACK/pause"
tar -xf "$STACK/busybox.tar" -C "$STACK/pause"
config=$(jq -r '.[0].Config' "$STACK/pause/manifest.json")
jq '.config.Cmd = ["/pause"]' "$STACK/pause/$config" >"$STACK/pause/config.json"
jq '.[0].Config = "config.json" | .[0].RepoTags = ["docker.io/library/kata-cc-pause:1"]' \
  "$STACK/pause/manifest.json" >"$STACK/pause/manifest.new"
mv "$STACK/pause/manifest.new" "$STACK/pause/manifest.json"
tar -C "$STACK/pause" -cf "$STACK/pause.tar" .
k8s images import --snapshotter kata-cc "$STACK/pause.tar" >/dev/null

run_cases a_cri_pull_gives_the_hashes_of_kata_ccctl a_cri_pod_runs its_containers_run_and_log \
  what_the_policy_does_not_name_is_refused a_block_volume_is_handed_on \
  an_empty_dir_passes_from_an_init_container the_pod_ends_and_leaves_nothing
