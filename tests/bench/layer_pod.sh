#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Layers in use: layer_pod.sh [BUILD_DIR]
#   import and unpacking of an image of about IMAGE_MIB (200) beside the overlayfs snapshotter's, until a
#     container could start; MAX_IMPORT_RATIO (1.5)
#   creation of containers of 1, 5 and 20 layers in a running confidential pod: the time for each
#     added layer; MAX_LAYER_MS (30)
#   reads in the guest through dm-verity, beside the same file system without it
# PARTS (import layers reads): which of these. Fails beyond the limits.
set -Eeuo pipefail
trap 'echo "layer_pod.sh: line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
cd "$(dirname "$0")/../.."
KATA_CC_BUILD=$(realpath "${1:-build/release}")
export STACK_TEE=sim STACK_SNAPSHOTTER=kata-cc
# shellcheck source=tests/e2e/stack.sh
source tests/e2e/stack.sh
sim_dir=$(mktemp -d -u /tmp/kata-cc-sim.XXXXXX)
# shellcheck disable=SC2034 # read by stack.sh
STACK_HYPERVISOR="sim_dir = \"$sim_dir\""
trap 'trap - ERR; rm -rf "$sim_dir"; stack_stop' EXIT
stack_start
runs=${RUNS:-3}
missed=()
ms_since() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000)); }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# make_image NAME LAYERS: busybox and small layers above it. Each image has layers of its own.
make_image() {
  local name=$1 layers=$2 work=$STACK/make n ids=() names=()
  rm -rf "$work"
  mkdir -p "$work/archive" "$work/base"
  tar -xf "$STACK/busybox.tar" -C "$work/base"
  cp "$work/base/$(jq -r '.[0].Layers[0]' "$work/base/manifest.json")" "$work/archive/0.tar"
  for ((n = 1; n < layers; n++)); do
    mkdir -p "$work/$n"
    head -c 200000 /dev/urandom >"$work/$n/of-$name-$n"
    tar -C "$work/$n" -cf "$work/archive/$n.tar" .
  done
  archive "$name" "$layers"
}
archive() {  # archive NAME LAYERS: from $STACK/make/archive/N.tar to $STACK/NAME.tar
  local work=$STACK/make n ids=() names=()
  for ((n = 0; n < $2; n++)); do
    ids+=("sha256:$(sha256sum "$work/archive/$n.tar" | cut -d' ' -f1)")
    names+=("$n.tar")
  done
  jq -n '{architecture: "amd64", os: "linux", config: {Env: ["PATH=/bin"], Cmd: ["sh"]},
    rootfs: {type: "layers", diff_ids: $ARGS.positional}}' --args "${ids[@]}" >"$work/archive/config.json"
  jq -n '[{Config: "config.json", RepoTags: [$tag], Layers: $ARGS.positional}]' \
    --arg tag "docker.io/library/kata-cc-$1:1" --args "${names[@]}" >"$work/archive/manifest.json"
  tar -C "$work/archive" -cf "$STACK/$1.tar" .
}

# import SNAPSHOTTER: ms until the mounts of a container's snapshot are there.
import() {
  local began=$EPOCHREALTIME key=k$RANDOM$RANDOM
  stack_ctr -n "$key" images import --snapshotter "$1" "$STACK/large.tar" >/dev/null
  stack_ctr -n "$key" snapshots --snapshotter "$1" prepare "$key" "$chain" >/dev/null
  stack_ctr -n "$key" snapshots --snapshotter "$1" mounts "$STACK/none" "$key" >/dev/null
  ms_since "$began"
  stack_ctr -n "$key" snapshots --snapshotter "$1" rm "$key"
  stack_ctr -n "$key" images rm --sync docker.io/library/kata-cc-large:1 >/dev/null
  stack_ctr namespaces rm "$key" >/dev/null 2>&1 || true
  sleep 1
}
bench_import() {
  local i
  rm -rf "$STACK/make"
  mkdir -p "$STACK/make/archive"
  find /usr/lib/x86_64-linux-gnu /usr/share -xdev -type f -printf '%s %p\0' 2>/dev/null | LC_ALL=C sort -z -t' ' -k2 |
    awk -v RS='\0' -v ORS='\0' -v left=$((${IMAGE_MIB:-200} << 20)) \
      '{ size = $1; sub(/^[0-9]+ /, ""); left -= size; if (left >= 0) print }' >"$STACK/names"
  tar --create --file "$STACK/make/archive/0.tar" --null --files-from "$STACK/names" 2>/dev/null
  archive large 1
  chain=sha256:$(sha256sum "$STACK/make/archive/0.tar" | cut -d' ' -f1)
  import overlayfs >/dev/null
  for ((i = 0; i < runs; i++)); do
    import overlayfs >>"$STACK/overlayfs.ms"
    import kata-cc >>"$STACK/kata-cc.ms"
  done
  local theirs ours
  theirs=$(median <"$STACK/overlayfs.ms")
  ours=$(median <"$STACK/kata-cc.ms")
  awk -v theirs="$theirs" -v ours="$ours" -v max="${MAX_IMPORT_RATIO:-1.5}" -v mib="${IMAGE_MIB:-200}" 'BEGIN {
    printf "import of %d MiB: overlayfs %d ms, kata-cc %d ms, ratio %.2f (goal %s)\n", mib, theirs, ours, ours / theirs, max
    exit ours / theirs > max }' || missed+=(import)
}

in_pod() {
  local IMAGE_NAME=docker.io/library/kata-cc-$1:1
  shift
  run_pod run --annotation io.kubernetes.cri.container-type=container \
    --annotation io.kubernetes.cri.sandbox-id=web "$@"
}
# stages_of ID STAGE...: the shim's own figures for a container's creation, added up.
stages_of() {
  local id=$1
  shift
  grep '"msg":"stage of creation done"' "$STACK/containerd/containerd.log" | grep "\"container_id\":\"$id\"" |
    sed -E 's/.*"stage":"([^"]*)","duration_ms":"([0-9]*)".*/\1 \2/' |
    awk -v wanted=" $* " 'index(wanted, " " $1 " ") { ms += $2 } END { print ms + 0 }'
}
bench_layers() {
  local layers i
  run_pod run -d --annotation io.kubernetes.cri.container-type=sandbox \
    --annotation io.kubernetes.cri.sandbox-id=web -- web /pause
  for layers in 1 5 20; do
    for ((i = 0; i < runs; i++)); do
      make_image "l$layers-$i" $layers
      stack_ctr images import --snapshotter kata-cc "$STACK/l$layers-$i.tar" >/dev/null
      in_pod "l$layers-$i" --rm -- "c$layers-$i" true
      stages_of "c$layers-$i" attach container >>"$STACK/layers-$layers.ms"
      stages_of "c$layers-$i" attach >>"$STACK/attach-$layers.ms"
    done
  done
  remove_pod web
  for layers in 1 5 20; do
    printf 'of %d layers: %d ms to attach their disks\n' $layers "$(median <"$STACK/attach-$layers.ms")"
  done
  awk -v one="$(median <"$STACK/layers-1.ms")" -v five="$(median <"$STACK/layers-5.ms")" \
    -v twenty="$(median <"$STACK/layers-20.ms")" -v max="${MAX_LAYER_MS:-30}" 'BEGIN {
    printf "container create: 1 layer %d ms, 5 layers %d ms, 20 layers %d ms\n", one, five, twenty
    printf "for each added layer %.1f ms (goal %s)\n", (twenty - one) / 19, max
    exit (twenty - one) / 19 > max }' || missed+=(layers)
}

echo "load $(cut -d' ' -f1 /proc/loadavg)"
bench_reads() {
  GUEST_BENCH_MIB=${READ_MIB:-64} tests/e2e/agent_guest_test.sh "$KATA_CC_BUILD/agent/container/agent_guest_test" \
    "$KATA_CC_BUILD/shim/ctl/kata-ccctl" --gtest_also_run_disabled_tests '--gtest_filter=*ReadsThroughVerity*' |
    grep -E 'MiB/s|reads a second' || missed+=(reads)
}
for part in ${PARTS:-import layers reads}; do "bench_$part"; done
[[ ${#missed[@]} -eq 0 ]] || { echo "layer_pod.sh: ${missed[*]}" >&2; exit 1; }
