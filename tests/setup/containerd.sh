#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A private containerd for tests: containerd.sh start|stop|restart DIR [SHIM_DIR]
# DIR holds its configuration, root, state, socket (containerd.sock) and log. SHIM_DIR is where
# containerd-shim-kata-cc-v2 is. KATA_CONF_FILE, if set, is the shim's configuration.
# CONTAINERD_EXTRA, if set, is added to containerd's configuration; CONTAINERD_CRI, if set, leaves the
# CRI plugin on.
# `stop` removes what containerd left in DIR, mounts included.
set -euo pipefail
usage() { echo "usage: containerd.sh start|stop|restart DIR [SHIM_DIR]" >&2; exit 2; }
[[ $# -ge 2 ]] || usage
action=$1
mkdir -p "$2"
dir=$(realpath "$2")
shim_dir=${3:-}

start() {
  local cri='"io.containerd.grpc.v1.cri", '
  [[ ! ${CONTAINERD_CRI:-} ]] || cri=
  cat >"$dir/config.toml" <<TOML
version = 2
root = "$dir/root"
state = "$dir/state"
disabled_plugins = [${cri}"io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.opt",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
  address = "$dir/containerd.sock"
[ttrpc]
  address = "$dir/containerd.sock.ttrpc"
[debug]
  level = "info"
${CONTAINERD_EXTRA:-}
TOML
  # Since 2.0 ctr unpacks only for snapshotters that are named here.
  local snapshotter
  [[ $(containerd --version) == *" v1.6"* || $(containerd --version) == *" 1.6"* ]] ||
    for snapshotter in overlayfs native kata-cc; do
      cat >>"$dir/config.toml" <<TOML
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/amd64"
  snapshotter = "$snapshotter"
TOML
    done
  local path=$PATH
  [[ $shim_dir ]] && path=$(realpath "$shim_dir"):$PATH
  (
    export PATH=$path
    # What the caller holds open (a lock, a pipe) is not held as long as the daemon lives.
    for fd in /proc/self/fd/*; do
      if ((${fd##*/} > 2)); then eval "exec ${fd##*/}>&-"; fi
    done
    cd / && exec setsid containerd --config "$dir/config.toml" </dev/null >>"$dir/containerd.log" 2>&1
  ) &
  echo $! >"$dir/containerd.pid"
  local i
  for ((i = 0; i < 200; i++)); do
    ctr --address "$dir/containerd.sock" version >/dev/null 2>&1 && return
    kill -0 "$(cat "$dir/containerd.pid")" 2>/dev/null || break
    sleep 0.1
  done
  echo "containerd.sh: containerd did not start; the end of its log:" >&2
  tail -n 20 "$dir/containerd.log" >&2
  exit 1
}

stop_daemon() {
  local pid i
  pid=$(cat "$dir/containerd.pid" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || true
  for ((i = 0; i < 100; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null || true
  rm -f "$dir/containerd.pid"
}

case $action in
  start) start ;;
  restart) stop_daemon; start ;;
  stop)
    stop_daemon
    awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
      while read -r mount; do umount -l "$mount"; done
    rm -rf "$dir/root" "$dir/state" "$dir"/containerd.sock*
    ;;
  *) usage ;;
esac
