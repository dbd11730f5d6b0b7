# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by end-to-end tests, benchmarks and the demo: a private libvirtd and containerd with the
# shim in reach, and the busybox image imported. stack_start sets STACK (its directory); stack_stop
# ends and removes it. Needs KATA_CC_BUILD, the CMake build directory, and `make image` done.
# Several stacks may run at once: nothing here looks at, or ends, another's processes.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
: "${KATA_CC_BUILD:=$repository/build/release}"
: "${KATA_CC_IMAGE:=$repository/build/image}"
IMAGE_NAME=docker.io/library/kata-cc-busybox:1
# Another containerd than the machine's, with its ctr beside it.
[[ ! ${KATA_CC_CONTAINERD:-} ]] || PATH=$(dirname "$KATA_CC_CONTAINERD"):$PATH

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

stack_shims() {  # The pids of this stack's shims.
  local pid
  for pid in $(pgrep -f "containerd-shim-kata-cc-v2 .*-address $STACK/containerd/"); do
    [[ $(readlink "/proc/$pid/exe") == */containerd-shim-kata-cc-v2* ]] && echo "$pid"
  done
  return 0
}

stack_vmms() {  # stack_vmms ID: the pid of the QEMU of that sandbox; "": of all of this stack.
  local pid
  for pid in $(pgrep -f "qemu-system.*guest=kata-cc-$1"); do
    [[ $(readlink "/proc/$pid/ns/mnt") == "$STACK_NAMESPACE" ]] && echo "$pid"
  done
  return 0
}

stack_fifos() { find "$STACK/fifo" -type p -printf 'fifo: %p\n'; }

# Everything that a pod leaves on the host while it runs; empty when nothing is left.
stack_leftovers() {
  local pid path
  virsh -q -c "$LIBVIRT_URI" list --all --name | sed '/^$/d; s/^/domain: /'
  for pid in $(stack_shims) $(stack_vmms ""); do
    printf 'process: %s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c -120)"
  done
  awk -v a="$STACK/containerd/state/" -v b="$STACK/images/" \
    'index($5, a) == 1 || index($5, b) == 1 { print "mount: " $5 }' /proc/self/mountinfo
  # A socket that a process listens on is that process's matter.
  find /run/containerd/s -type s -newer "$STACK/started" 2>/dev/null | while read -r path; do
    [[ $(ss -Hxl "src = $path") ]] || echo "socket: $path"
  done
  grep -lsF "$STACK" /run/kata-cc/*/sandbox.json | sed 's/^/state: /' || true
  find "$STACK/containerd/state" -path '*/io.containerd.runtime.v2.task/*/*' -prune \
    -printf 'bundle: %p\n'
  find "$STACK/images" -mindepth 1 -printf 'image: %p\n'
  stack_fifos
}

# STACK_CRI=yes: containerd's CRI with the handler kata-cc, and a network of Debian's CNI plugins.
cri_configuration() {
  cat <<TOML
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/kata-cc-pause:1"
  disable_tcp_service = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STACK/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "kata-cc"
    default_runtime_name = "kata-cc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata-cc]
      runtime_type = "io.containerd.kata-cc.v2"
      pod_annotations = ["io.katacontainers.*"]
      privileged_without_host_devices = true
TOML
}

stack_start() {
  local shim=$KATA_CC_BUILD/shim/containerd-shim-kata-cc-v2
  [[ -x $shim ]] || fail "$shim: not built (cmake --build)"
  [[ -s $KATA_CC_IMAGE/initrd.img ]] || fail "$KATA_CC_IMAGE/initrd.img: not built (make image)"
  STACK=$(mktemp -d /tmp/kata-cc.XXXXXX)
  mkdir "$STACK/images" "$STACK/fifo"
  LIBVIRT_URI=$("$repository/tests/setup/libvirtd.sh" start "$STACK/libvirt")
  STACK_NAMESPACE=$(readlink "/proc/$(<"$STACK/libvirt/libvirtd.pid")/ns/mnt")
  export LIBVIRT_URI STACK STACK_NAMESPACE
  cat >"$STACK/configuration.toml" <<TOML
[hypervisor.qemu]
kernel = "$KATA_CC_IMAGE/vmlinuz"
initrd = "$KATA_CC_IMAGE/initrd.img"
libvirt_uri = "$LIBVIRT_URI"
accelerator = "auto"
tee = "${STACK_TEE:-none}"
transport = "virtio-serial"
${STACK_HYPERVISOR:-}
[runtime]
image_dir = "$STACK/images"
${STACK_RUNTIME:-}
[agent.kata]
dial_timeout = ${STACK_DIAL_TIMEOUT:-180}
TOML
  export KATA_CONF_FILE=$STACK/configuration.toml
  "$KATA_CC_BUILD/shim/snapshotter/kata-cc-snapshotter" --root "$STACK/snapshotter" \
    --socket "$STACK/snapshotter.sock" --containerd "$STACK/containerd/containerd.sock" \
    </dev/null >>"$STACK/snapshotter.log" 2>&1 &
  STACK_SNAPSHOTTER_PID=$!
  local cri=
  if [[ ${STACK_CRI:-} ]]; then
    cri=$(cri_configuration)
    mkdir "$STACK/cni"
    cat >"$STACK/cni/10-pods.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "kata-cc-$$", "plugins": [{"type": "ptp", "mtu": 1500,
  "ipam": {"type": "host-local", "subnet": "10.213.$(($$ % 256)).0/24", "dataDir": "$STACK/cni/addresses"}}]}
JSON
  fi
  CONTAINERD_CRI=${STACK_CRI:-} CONTAINERD_EXTRA="[proxy_plugins.kata-cc]
  type = \"snapshot\"
  address = \"$STACK/snapshotter.sock\"
$cri" \
    "$repository/tests/setup/containerd.sh" start "$STACK/containerd" "$(dirname "$shim")"
  "$repository/tests/setup/busybox-image.sh" "$STACK/busybox.tar"
  stack_ctr images import --snapshotter "${STACK_SNAPSHOTTER:-overlayfs}" "$STACK/busybox.tar" >/dev/null
  touch "$STACK/started"
}

stack_stop() {
  local pid path
  [[ ${STACK:-} ]] || return 0
  "$repository/tests/setup/containerd.sh" stop "$STACK/containerd" || true
  if [[ ${STACK_NAMESPACE:-} ]]; then
    for pid in $(stack_shims) $(stack_vmms ""); do kill -9 "$pid" 2>/dev/null || true; done
  fi
  if [[ ${STACK_SNAPSHOTTER_PID:-} ]]; then kill "$STACK_SNAPSHOTTER_PID" 2>/dev/null || true; fi
  "$repository/tests/setup/libvirtd.sh" stop "$STACK/libvirt" || true
  for path in /run/kata-cc/*; do
    grep -qsF "$STACK" "$path/sandbox.json" && rm -rf "$path"
  done
  [[ ${KATA_CC_KEEP:-} ]] || rm -rf "$STACK"
}

stack_ctr() { ctr --address "$STACK/containerd/containerd.sock" "$@"; }

policy_annotation() {  # policy_annotation NAME-or-FILE
  local file=$1
  [[ -f $file ]] || file=$here/policies/$1.rego
  echo "io.katacontainers.config.agent.policy=$(base64 -w0 "$file")"
}

# run_pod POLICY [ctr run option...] -- ID COMMAND...: a container that is its own sandbox, unless
# the options say otherwise. POLICY "-" sends none. STACK_SNAPSHOTTER: kata-cc, for verified layers; else
# overlayfs.
run_pod() {
  local policy=$1 options=()
  shift
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  shift
  local id=$1
  shift
  [[ $policy == - ]] || options+=(--annotation "$(policy_annotation "$policy")")
  stack_ctr run --runtime io.containerd.kata-cc.v2 --fifo-dir "$STACK/fifo" \
    --snapshotter "${STACK_SNAPSHOTTER:-overlayfs}" "${options[@]}" "$IMAGE_NAME" "$id" "$@"
}

# exec_in [ctr exec option...] CONTAINER COMMAND...
exec_in() {
  stack_ctr tasks exec --fifo-dir "$STACK/fifo" --exec-id "x$RANDOM$RANDOM" "$@"
}

status_of() { stack_ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [[ $(status_of "$1") == "$2" ]]; }

# remove_pod ID: kill, wait for the end, delete task and container.
remove_pod() {
  stack_ctr tasks kill --signal SIGKILL "$1" >/dev/null 2>&1 || true
  local i
  for ((i = 0; i < 300; i++)); do
    [[ $(status_of "$1") ]] || break
    stack_ctr tasks delete "$1" >/dev/null 2>&1 || sleep 0.1 # With the exit code of the task.
  done
  stack_ctr containers delete "$1"
}

# wait_until SECONDS COMMAND...: polls until the command succeeds.
wait_until() {
  local seconds=$1 i
  shift
  for ((i = 0; i < seconds * 10; i++)); do
    "$@" && return
    sleep 0.1
  done
  return 1
}

nothing_left() { [[ -z $(stack_leftovers) ]]; }
# For the end of a case: waits until nothing is left, or says what is.
leaves_nothing() { wait_until 20 nothing_left || { stack_leftovers >&2; return 1; }; }
