# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced by end-to-end tests and the demo: a private libvirtd and containerd with the shim in
# reach, and the busybox image imported. stack_start sets STACK (its directory); stack_stop ends
# and removes it. Needs KATA_CC_BUILD, the CMake build directory, and `make image` done.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$here/../.." && pwd)
: "${KATA_CC_BUILD:=$repository/build/release}"
: "${KATA_CC_IMAGE:=$repository/build/image}"
IMAGE_NAME=docker.io/library/kata-cc-busybox:1

fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

# Everything that a pod leaves on the host while it runs; empty when nothing is left.
stack_leftovers() {
  virsh -q -c "$LIBVIRT_URI" list --all --name | sed '/^$/d; s/^/domain: /'
  pgrep -a -f 'containerd-shim-kata-cc-v2|kata-cc-[0-9a-z]' | grep -v pgrep |
    grep -F -e "$STACK" -e containerd-shim-kata-cc-v2 -e guest=kata-cc | sed 's/^/process: /' || true
  awk -v a="$STACK/containerd/state/" -v b="$STACK/images/" \
    'index($5, a) == 1 || index($5, b) == 1 { print "mount: " $5 }' /proc/self/mountinfo
  find /run/containerd/s -type s -newer "$STACK/started" -printf 'socket: %p\n' 2>/dev/null || true
  find "$STACK/containerd/state" "$STACK/images" /run/kata-cc /run/containerd/fifo \
    -newer "$STACK/started" \( -path '*/io.containerd.runtime.v2.task/*/*' -o -type p -o \
    -path "$STACK/images/*" -o -path '/run/kata-cc/*' \) -printf 'left: %p\n' 2>/dev/null || true
}

stack_start() {
  local shim=$KATA_CC_BUILD/shim/containerd-shim-kata-cc-v2
  [[ -x $shim ]] || fail "$shim: not built (cmake --build)"
  [[ -s $KATA_CC_IMAGE/initrd.img ]] || fail "$KATA_CC_IMAGE/initrd.img: not built (make image)"
  STACK=$(mktemp -d /tmp/kata-cc.XXXXXX)
  mkdir "$STACK/images"
  LIBVIRT_URI=$("$repository/tests/setup/libvirtd.sh" start "$STACK/libvirt")
  export LIBVIRT_URI STACK
  cat >"$STACK/configuration.toml" <<TOML
[hypervisor.qemu]
kernel = "$KATA_CC_IMAGE/vmlinuz"
initrd = "$KATA_CC_IMAGE/initrd.img"
libvirt_uri = "$LIBVIRT_URI"
accelerator = "auto"
tee = "none"
transport = "virtio-serial"
${STACK_HYPERVISOR:-}
[runtime]
image_dir = "$STACK/images"
${STACK_RUNTIME:-}
[agent.kata]
dial_timeout = ${STACK_DIAL_TIMEOUT:-60}
TOML
  export KATA_CONF_FILE=$STACK/configuration.toml
  "$repository/tests/setup/containerd.sh" start "$STACK/containerd" "$(dirname "$shim")"
  "$repository/tests/setup/busybox-image.sh" "$STACK/busybox.tar"
  stack_ctr images import "$STACK/busybox.tar" >/dev/null
  touch "$STACK/started"
}

stack_stop() {
  [[ ${STACK:-} ]] || return 0
  "$repository/tests/setup/containerd.sh" stop "$STACK/containerd" || true
  pkill -9 -f "containerd-shim-kata-cc-v2.*$STACK" || true
  "$repository/tests/setup/libvirtd.sh" stop "$STACK/libvirt" || true
  [[ ${KATA_CC_KEEP:-} ]] || rm -rf "$STACK"
}

stack_ctr() { ctr --address "$STACK/containerd/containerd.sock" "$@"; }

policy_annotation() {  # policy_annotation NAME-or-FILE
  local file=$1
  [[ -f $file ]] || file=$here/policies/$1.rego
  echo "io.katacontainers.config.agent.policy=$(base64 -w0 "$file")"
}

# run_pod POLICY [ctr run option...] -- ID COMMAND...: a container that is its own sandbox.
# POLICY "-" sends none.
run_pod() {
  local policy=$1 options=()
  shift
  while [[ $1 != -- ]]; do options+=("$1"); shift; done
  shift
  local id=$1
  shift
  [[ $policy == - ]] || options+=(--annotation "$(policy_annotation "$policy")")
  stack_ctr run --runtime io.containerd.kata-cc.v2 "${options[@]}" "$IMAGE_NAME" "$id" "$@"
}

# remove_pod ID: kill, wait for the end, delete task and container.
remove_pod() {
  stack_ctr tasks kill --signal SIGKILL "$1" >/dev/null 2>&1 || true
  local i
  for ((i = 0; i < 300; i++)); do
    stack_ctr tasks delete "$1" >/dev/null 2>&1 && break
    stack_ctr tasks ls -q | grep -qx "$1" || break
    sleep 0.1
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
