#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kubernetes' way: containerd's CRI pulls an image with kata-cc-snapshotter, and runs a confidential
# pod on it, with an address of Debian's CNI plugins and volumes as kubelet writes them.
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
  ! mountpoint -q "$volumes/kubernetes.io~empty-dir/memory" || umount "$volumes/kubernetes.io~empty-dir/memory"
  stack_stop
  rm -rf "$sim_dir"
}
trap cleanup EXIT
stack_start
volumes=$STACK/pods/uid-1/volumes
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
  # Hosts, host name, name servers, and volumes' files but one.
  cat >>"$STACK/policy.rego" <<'REGO'

CopyFileRequest if {
	startswith(input.path, "/run/kata-containers/shared/containers/")
	not endswith(input.path, "/forbidden")
}

ExecProcessRequest if input.process.Args[0] == "cat"

ExecProcessRequest if input.process.Args == ["sh", "-c", "echo -n $(ls -A /config)"]
REGO
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
  local volume=$volumes/kubernetes.io~empty-dir/work id mount
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

# write_volume DIR NAME=FILE...: as kubelet's AtomicWriter does it, step by step.
write_volume() {
  local dir=$1 old new file
  shift
  mkdir -p "$dir"
  old=$(readlink "$dir/..data") || true
  new=$(mktemp -d "$dir/..2026_11_25_10_00_00.XXXXXXXXX")
  chmod 0755 "$new"
  for file in "$@"; do cp "${file#*=}" "$new/${file%%=*}"; done
  ln -s "${new##*/}" "$dir/..data_tmp"
  mv -T "$dir/..data_tmp" "$dir/..data"
  for file in "$@"; do ln -sfT "..data/${file%%=*}" "$dir/${file%%=*}"; done
  [[ $old ]] || return 0
  for file in "$dir/$old"/*; do [[ -e $new/${file##*/} ]] || rm "$dir/${file##*/}"; done
  rm -r "${dir:?}/$old"
}
generation() {  # generation N: what the volume's files are then; prints the large one's sum
  printf 'value %s' "$1" >"$STACK/value"
  yes "line of generation $1" | head -c 2500000 >"$STACK/large" || true # Three pieces of CopyFile.
  md5sum <"$STACK/large" | cut -d' ' -f1
}
run_in() { cri RuntimeService/ExecSync "$(jq -n '{"1": $ARGS.positional[0], "2": $ARGS.positional[1:], "3": 60}' --args -- "$@")"; }
output_of() { run_in "$@" | sed -n 's/^1: //p'; }
# shellcheck disable=SC2016 # expanded in the guest
list='echo -n $(ls -A /config)'
shows() { [[ $(output_of "$1" cat "$2") == "$3" ]]; }

updates_of_volumes_follow_into_a_running_container() {
  local config=$volumes/kubernetes.io~configmap/config token=$volumes/kubernetes.io~projected/token id sum n
  local secret=$volumes/kubernetes.io~secret/secret labels=$volumes/kubernetes.io~downward-api/labels
  generation 1 >"$STACK/sums"
  write_volume "$config" value="$STACK/value" large="$STACK/large" dropped="$STACK/value"
  write_volume "$token" token="$STACK/value"
  write_volume "$secret" key="$STACK/value"
  write_volume "$labels" labels="$STACK/value"
  id=$(create volumes "{\"7\": [{\"1\": \"/config\", \"2\": \"$config\", \"3\": 1},
    {\"1\": \"/token\", \"2\": \"$token\", \"3\": 1}, {\"1\": \"/secret\", \"2\": \"$secret\", \"3\": 1},
    {\"1\": \"/labels\", \"2\": \"$labels\", \"3\": 1}]}" sh -c 'while :; do md5sum </config/large; sleep 0.1; done')
  echo "$id" >"$STACK/volumes.id"
  start "$id"
  expect value "$(output_of "$id" cat /config/value /config/dropped /token/token /secret/key /labels/labels)" \
    'value 1value 1value 1value 1value 1'
  wait_until 20 test -s "$STACK/logs/volumes.log"

  # One file is changed, one added, one gone.
  generation 2 >>"$STACK/sums"
  write_volume "$config" value="$STACK/value" large="$STACK/large" added="$STACK/value"
  write_volume "$token" token="$STACK/value"
  write_volume "$secret" key="$STACK/value"
  write_volume "$labels" labels="$STACK/value"
  wait_until 30 shows "$id" /config/value 'value 2'
  wait_until 30 shows "$id" /config/added 'value 2'
  wait_until 30 shows "$id" /token/token 'value 2'
  wait_until 30 shows "$id" /secret/key 'value 2'
  wait_until 30 shows "$id" /labels/labels 'value 2'
  expect names "$(output_of "$id" sh -c "$list")" \
    "..2026_11_25_10_00_00.????????? ..data added large value"

  # Faster than they can be copied.
  for n in 3 4 5 6; do
    sum=$(generation $n)
    echo "$sum" >>"$STACK/sums"
    write_volume "$config" value="$STACK/value" large="$STACK/large"
    sleep 0.1
  done
  wait_until 30 shows "$id" /config/value 'value 6'
  wait_until 30 grep -q "$sum" "$STACK/logs/volumes.log"
  expect names "$(output_of "$id" sh -c "$list")" \
    "..2026_11_25_10_00_00.????????? ..data large value"
  # Whole generations were read, whenever it was.
  expect "sums of no generation" "$(logs volumes | grep -o '^[0-9a-f]\{32\}' | sort -u | grep -vxFf "$STACK/sums" || true)" ''
}

an_update_that_the_policy_refuses_does_not_follow() {
  local config=$volumes/kubernetes.io~configmap/config id
  id=$(<"$STACK/volumes.id")
  generation 7 >/dev/null
  write_volume "$config" value="$STACK/value" forbidden="$STACK/value"
  wait_until 30 grep -qs 'update of a volume did not reach the guest.*CopyFileRequest is blocked' "$STACK/containerd/containerd.log"
  expect value "$(output_of "$id" cat /config/value)" 'value 6'
  generation 8 >/dev/null
  write_volume "$config" value="$STACK/value"
  wait_until 30 shows "$id" /config/value 'value 8'
  cri RuntimeService/StopContainer "{\"1\": \"$id\", \"2\": 0}"
}

# kubelet has mounted it, of the size of its sizeLimit, before the pod starts.
an_empty_dir_in_memory_has_its_size() {
  local volume=$volumes/kubernetes.io~empty-dir/memory id
  id=$(create memory "{\"7\": {\"1\": \"/memory\", \"2\": \"$volume\"}}" sh -c \
    'dd if=/dev/zero of=/memory/big bs=64k 2>&1; wc -c </memory/big; grep " /memory " /proc/mounts')
  start "$id"
  wait_until 30 ended "$id"
  expect log "$(logs memory)" $'*No space left on device*\n3145728\ntmpfs*size=3072k*'
}

volumes_of_the_hosts_file_system_are_refused() {
  local source error n=0
  mkdir -p "$STACK/host" "$volumes/kubernetes.io~csi/pvc/mount" "$STACK/pods/uid-1/volume-subpaths/v/app/0"
  for source in "$STACK/host" "$volumes/kubernetes.io~csi/pvc/mount" "$STACK/pods/uid-1/volume-subpaths/v/app/0"; do
    n=$((n + 1))
    error=$(create "host$n" "{\"7\": {\"1\": \"/host\", \"2\": \"$source\"}}" true 2>&1) &&
      error+=$(start "$error" 2>&1) && return 1
    expect error "$error" "*mount /host: a confidential sandbox takes no hostPath, subPath or file system of the host: $source*"
  done
}

# containerd copies what the image has there, and the guest gets a copy of that.
a_volume_of_the_image_has_its_content() {
  local image=docker.io/library/kata-cc-volume:1 id
  id=$(create volume '{}' sh -c 'cat /data/file; stat -c "%a %u %g" /data /data/file; echo new >/data/new && cat /data/new')
  start "$id"
  wait_until 30 ended "$id"
  expect log "$(logs volume)" $'of the image\n750 7 8\n640 7 8\nnew'
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
# One with a VOLUME, which a layer of its own fills.
mkdir -p "$STACK/volume/data"
printf 'of the image\n' >"$STACK/volume/data/file"
chmod 0750 "$STACK/volume/data"
chmod 0640 "$STACK/volume/data/file"
tar -C "$STACK/volume" --owner=7 --group=8 --mtime=@0 -cf "$STACK/pause/data.tar" data
jq --arg id "sha256:$(sha256sum "$STACK/pause/data.tar" | cut -d' ' -f1)" \
  '.config.Volumes = {"/data": {}} | .rootfs.diff_ids += [$id]' "$STACK/pause/$config" >"$STACK/pause/config.json"
jq '.[0].RepoTags = ["docker.io/library/kata-cc-volume:1"] | .[0].Layers += ["data.tar"]' \
  "$STACK/pause/manifest.json" >"$STACK/pause/manifest.new"
mv "$STACK/pause/manifest.new" "$STACK/pause/manifest.json"
tar -C "$STACK/pause" -cf "$STACK/volume.tar" .
k8s images import --snapshotter kata-cc "$STACK/volume.tar" >/dev/null

mkdir -p "$volumes/kubernetes.io~empty-dir/memory"
mount -t tmpfs -o size=3m tmpfs "$volumes/kubernetes.io~empty-dir/memory"

run_cases a_cri_pull_gives_the_hashes_of_kata_ccctl a_cri_pod_runs its_containers_run_and_log \
  what_the_policy_does_not_name_is_refused a_block_volume_is_handed_on \
  an_empty_dir_passes_from_an_init_container updates_of_volumes_follow_into_a_running_container \
  an_update_that_the_policy_refuses_does_not_follow an_empty_dir_in_memory_has_its_size \
  volumes_of_the_hosts_file_system_are_refused a_volume_of_the_image_has_its_content the_pod_ends_and_leaves_nothing
