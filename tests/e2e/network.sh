# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Sourced after stack.sh by tests whose pods have a network: a bridge, 192.0.2.1/24 and
# 2001:db8::1/64, in a network namespace that stands for the host, and pods' namespaces as CNI makes
# them. All names carry the stack's, so several may run at once.

network_name() { echo "${STACK##*/}.$1"; }
network_path() { echo "/run/netns/$(network_name "$1")"; }

network_start() {
  local host
  host=$(network_name host)
  ip netns add "$host"
  ip -n "$host" link set lo up
  ip -n "$host" link add br0 type bridge
  ip -n "$host" address add 192.0.2.1/24 dev br0
  ip -n "$host" address add 2001:db8::1/64 dev br0 nodad
  ip -n "$host" link set br0 mtu 1400 up
}

network_pod() {  # network_pod NAME ADDRESS: its namespace, with eth0
  local host pod last=${2##*.}
  host=$(network_name host) pod=$(network_name "$1")
  ip netns add "$pod"
  ip -n "$pod" link set lo up
  ip -n "$pod" link add eth0 mtu 1400 type veth peer name "veth$last" mtu 1400 netns "$host"
  ip -n "$host" link set "veth$last" master br0 up
  ip -n "$pod" address add "$2/24" dev eth0
  ip -n "$pod" address add "2001:db8::$last/64" dev eth0 nodad
  ip -n "$pod" link set eth0 up
  ip -n "$pod" route add default via 192.0.2.1
  ip -n "$pod" -6 route add default via 2001:db8::1
  ip -n "$pod" neigh add 192.0.2.200 lladdr 02:00:00:00:02:00 dev eth0 nud permanent
}

network_mac() { ip -n "$(network_name "$1")" link show eth0 | awk '/link\/ether/ { print $2 }'; }
network_queues() { tc -n "$(network_name "$1")" qdisc show | grep ingress || true; }
on_network() { ip netns exec "$(network_name host)" "$@"; }
# For the background: the process that $! names becomes the program.
daemon_on_network() { exec ip netns exec "$(network_name host)" "$@"; }
network_get() { on_network curl --silent --show-error --max-time 20 "$1"; }

network_serve() {  # network_serve ADDRESS PORT DIR: files over HTTP, until network_stop
  daemon_on_network python3 -m http.server --bind "$1" --directory "$3" "$2" >"$STACK/http.log" 2>&1 &
  NETWORK_PIDS+=("$!")
  wait_until 20 network_get "http://$1:$2/" >/dev/null 2>&1
}

# network_names ADDRESS ANSWER: a name server to which every name has the same IPv4 address
network_names() {
  daemon_on_network python3 - "$1" "$2" >"$STACK/names.log" 2>&1 <<'PYTHON' &
import socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind((sys.argv[1], 53))
    print("serving", flush=True)
    while True:
        query, peer = server.recvfrom(512)
        end = query.index(b"\0", 12) + 5
        has_answer = query[end - 4:end - 2] == b"\0\1"  # A
        answer = query[:2] + b"\x81\x80\0\1" + struct.pack(">H", has_answer) + bytes(4) + query[12:end]
        if has_answer: answer += b"\xc0\x0c\0\1\0\1" + struct.pack(">IH", 60, 4) + socket.inet_aton(sys.argv[2])
        server.sendto(answer, peer)
PYTHON
  NETWORK_PIDS+=("$!")
  wait_until 20 grep -qs serving "$STACK/names.log"
}

NETWORK_PIDS=()
network_stop() {
  local path
  [[ ${STACK:-} ]] || return 0
  for pid in "${NETWORK_PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  for path in /run/netns/"${STACK##*/}".*; do
    [[ -e $path ]] && ip netns del "${path##*/}"
  done
  return 0
}
