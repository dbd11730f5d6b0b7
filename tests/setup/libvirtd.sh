#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A libvirtd of one's own, for tests and the demo: libvirtd.sh start|stop|uri DIR
#
# start  runs libvirtd with its configuration, socket, state and log below DIR, and returns once it
#        answers; prints the connection URI. Run again, it only prints the URI.
# stop   destroys the domains that are left, ends libvirtd, and removes what start made in DIR.
# uri    prints the connection URI.
#
# libvirtd's paths are fixed at build time, so it runs in a mount namespace of its own with DIR
# bound over them; the machine's /etc/libvirt, /run/libvirt, /var/lib/libvirt are not touched, and
# several may run at once. KATA_CC_LIBVIRT_CACHE (default /var/cache/kata-cc/libvirt) keeps what
# libvirt learned about QEMU, which takes seconds to find out.
set -euo pipefail

die() { echo "libvirtd.sh: $*" >&2; exit 1; }
[[ $# -eq 2 ]] || { echo "usage: libvirtd.sh start|stop|uri DIR" >&2; exit 2; }
action=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
cache=${KATA_CC_LIBVIRT_CACHE:-/var/cache/kata-cc/libvirt}
socket=$dir/sock/libvirt-sock
uri="qemu+unix:///system?socket=$socket"
# A unix socket's path has 107 bytes; libvirt puts its monitor's below /var/lib/libvirt instead.
[[ ${#socket} -le 107 ]] || die "$dir: path too long for a unix socket"

# A pid of the file may be another's by now.
running() {
  [[ -s $dir/libvirtd.pid ]] &&
    [[ $(readlink "/proc/$(<"$dir/libvirtd.pid")/exe" 2>/dev/null) == */libvirtd* ]]
}
answers() { [[ -S $socket ]] && virsh -q -c "$uri" version >/dev/null 2>&1; }

write_configuration() {
  mkdir -p "$dir"/{etc,run,lib,log,sock} "$cache"
  cat >"$dir/etc/libvirtd.conf" <<EOF
unix_sock_dir = "$dir/sock"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
log_outputs = "2:file:$dir/libvirtd.log"
host_uuid = "$(cat /proc/sys/kernel/random/uuid)"
EOF
  # QEMU as root, so that it reaches /dev/kvm as the prober does: otherwise libvirt probes QEMU
  # again at each start. No virtlogd, no relabelling, no chown of the test's files.
  cat >"$dir/etc/qemu.conf" <<'EOF'
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "file"
namespaces = []
EOF
}

start() {
  if ! running; then
    write_configuration
    # Slave propagation: later mounts of the host (a container's root file system) are seen here.
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation slave bash -c '
      set -e
      # What the caller holds open (a lock, a pipe) is not held as long as the daemon lives.
      for fd in /proc/self/fd/*; do
        if ((${fd##*/} > 2)); then eval "exec ${fd##*/}>&-"; fi
      done
      mkdir -p /etc/libvirt /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
      mount --bind "$1/etc" /etc/libvirt
      mount --bind "$1/run" /run/libvirt
      mount --bind "$1/lib" /var/lib/libvirt
      mount --bind "$1/log" /var/log/libvirt
      mount --bind "$2" /var/cache/libvirt
      exec setsid libvirtd --config "$1/etc/libvirtd.conf" --pid-file "$1/libvirtd.pid" --daemon
    ' bash "$dir" "$cache" </dev/null >>"$dir/libvirtd.log" 2>&1 ||
      { cat "$dir/libvirtd.log" >&2; die "libvirtd did not start"; }
  fi
  local tries=0
  until answers; do
    ((++tries <= 300)) || { tail -n 20 "$dir/libvirtd.log" >&2; die "libvirtd does not answer"; }
    sleep 0.1
  done
  echo "$uri"
}

stop() {
  if running; then
    local pid name
    pid=$(<"$dir/libvirtd.pid")
    # A domain whose QEMU was just killed is listed, and gone when it is to be destroyed.
    while IFS= read -r name; do
      [[ $name ]] && { virsh -q -c "$uri" destroy "$name" >/dev/null 2>&1 || true; }
    done < <(virsh -q -c "$uri" list --name 2>/dev/null)
    kill "$pid" 2>/dev/null || true
    for _ in {1..100}; do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  fi
  # QEMU outlives libvirtd: end those that libvirtd, killed before, could not be asked about.
  local pidfile
  for pidfile in "$dir"/run/qemu/*.pid; do
    if [[ -s $pidfile ]] && grep -qsa qemu "/proc/$(<"$pidfile")/cmdline"; then
      kill -9 "$(<"$pidfile")" 2>/dev/null || true
    fi
  done
  rm -rf "${dir:?}"/{etc,run,lib,log,sock,libvirtd.pid,libvirtd.log}
  rmdir "$dir" 2>/dev/null || true
}

case $action in
  start) start ;;
  stop) stop ;;
  uri) echo "$uri" ;;
  *) echo "usage: libvirtd.sh start|stop|uri DIR" >&2; exit 2 ;;
esac
