#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The network of pods, through a real containerd, QEMU and guest. As CNI does it, the test makes each
# pod a network namespace with a veth to a bridge; the "host" of the pods, which has the bridge and a
# server, is a namespace of its own, so that the machine's network stays as it is.
set -euo pipefail
# shellcheck source=tests/e2e/stack.sh
source "$(dirname "$0")/stack.sh"
# shellcheck source=tests/e2e/network.sh
source "$(dirname "$0")/network.sh"
# shellcheck source=tests/e2e/cases.sh
source "$(dirname "$0")/cases.sh"
trap 'network_stop; stack_stop' EXIT
stack_start
network_start
network_pod one 192.0.2.11
network_pod two 192.0.2.12
mkdir "$STACK/www"
head -c 3000000 /dev/urandom >"$STACK/www/file"
echo "from the host" >"$STACK/www/index.html"
network_serve 192.0.2.1 80 "$STACK/www"

# Both pods serve the same page with their own name on it, and wait.
# shellcheck disable=SC2016 # expanded in the guest
serve='mkdir /tmp/www; echo "from $0" >/tmp/www/index.html; httpd -f -p 8080 -h /tmp/www'

a_pod_reaches_a_server_on_the_host() {
  run_pod "$STACK/network.rego" -d --with-ns "network:$(network_path one)" -- one sh -c "$serve" one
  expect output "$(exec_in one wget -q -O - http://192.0.2.1/)" "from the host"
}

the_guest_has_what_the_namespace_had() {
  local shown
  shown=$(exec_in one ip address show dev eth0)
  expect mac "$shown" "*$(network_mac one)*"
  expect address "$shown" '*inet 192.0.2.11/24*'
  expect "IPv6 address" "$shown" '*inet6 2001:db8::11/64*'
  expect mtu "$shown" '*mtu 1400*'
  expect routes "$(exec_in one ip route)" '*default via 192.0.2.1 dev eth0*192.0.2.0/24 dev eth0*'
  expect "IPv6 routes" "$(exec_in one ip -6 route)" '*default via 2001:db8::1 dev eth0*'
  expect neighbour "$(exec_in one ip neigh)" '*192.0.2.200 dev eth0 lladdr 02:00:00:00:02:00 *PERMANENT*'
}

the_host_reaches_a_port_in_the_pod() {
  expect answer "$(network_get http://192.0.2.11:8080/)" "from one"
  expect "answer over IPv6" "$(network_get 'http://[2001:db8::11]:8080/')" "from one"
}

three_megabytes_come_through_unchanged() {
  expect checksum "$(exec_in one sh -c 'wget -q -O - http://192.0.2.1/file | md5sum')" \
    "$(md5sum <"$STACK/www/file")"
}

no_frame_is_larger_than_the_mtu() {
  local listener longest
  on_network python3 - >"$STACK/longest" <<'PYTHON' &
import socket, struct
with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as link:
    link.bind(("veth11", 0))
    link.settimeout(60)
    frames = []
    while len(frames) < 6:
        frame, address = link.recvfrom(65536)
        if frame[12:14] == b"\x08\0" and frame[23] == 1: frames.append(len(frame))  # ICMP
print(max(frames))
PYTHON
  listener=$!
  wait_until 20 on_network grep -q ' 3 *0003' /proc/net/packet
  exec_in one ping -c 2 -W 10 -s 3000 192.0.2.1
  wait $listener
  longest=$(<"$STACK/longest")
  expect "longest frame, $longest" $((longest > 1300 && longest <= 1414)) 1
}

two_pods_on_one_bridge_reach_each_other() {
  run_pod "$STACK/network.rego" -d --with-ns "network:$(network_path two)" -- two sh -c "$serve" two
  expect "one from two" "$(exec_in two wget -q -O - http://192.0.2.11:8080/)" "from one"
  expect "two from one" "$(exec_in one wget -q -O - http://192.0.2.12:8080/)" "from two"
}

the_guest_sends_nothing_into_the_hosts_own_network() {
  expect "taps of the machine" "$(ip -o link show type tun | grep -c kcc)" 0
  expect "taps of the pods" "$(ip -n "$(network_name one)" -o link show type tun)" '*tap0_kata*'
}

a_pod_without_a_rule_for_the_network_does_not_start() {
  local status=0 error
  sed '/^# Whoever runs the network/,/^}/d' "$here/policies/run.rego" >"$STACK/no-network.rego"
  error=$(run_pod "$STACK/no-network.rego" --rm --with-ns "network:$(network_path three)" -- three true 2>&1) || status=$?
  expect "exit code" $status 1
  expect error "$error" '*pod network: interface eth0: *UpdateInterfaceRequest is blocked by policy*'
  expect "queues" "$(network_queues three)" ''
}

a_namespace_without_an_interface_is_a_pod_without_one() {
  ip netns add "$(network_name empty)"
  expect output "$(run_pod run-exec --rm --with-ns "network:$(network_path empty)" -- empty sh -c 'ls /sys/class/net')" lo
}

a_debug_image_has_a_shell_and_the_release_has_none() {
  must_fail on_network busybox nc -w 3 192.0.2.11 1026 </dev/null
  "$repository/guest-image/build/build.sh" --debug "$KATA_CC_BUILD/agent/kata-cc-agent" \
    "$KATA_CC_BUILD/agent/kata-cc-secrets" "$STACK/debug"
  sed "s#^initrd = .*#initrd = \"$STACK/debug/initrd.img\"#" "$STACK/configuration.toml" >"$STACK/debug.toml"
  run_pod run -d --runtime-config-path "$STACK/debug.toml" --with-ns "network:$(network_path three)" -- \
    debug sleep 1000
  (
    # shellcheck disable=SC2016 # expanded in the guest
    echo 'busybox="/bin/busybox"; $busybox uname -r; $busybox cat /proc/1/comm; $busybox ls /run; echo end'
    sleep 5
  ) | on_network busybox nc 192.0.2.13 1026 >"$STACK/shell"
  expect output "$(<"$STACK/shell")" '*cloud-amd64*kata-cc-agent*kata-containers*end'
  remove_pod debug
}

removed_pods_leave_no_tap_and_no_redirection() {
  remove_pod one
  remove_pod two
  leaves_nothing
  local name
  for name in one two; do
    expect "queues of $name" "$(network_queues "$name")" ''
    expect "taps of $name" "$(ip -n "$(network_name "$name")" -o link show type tun)" ''
  done
}

a_killed_shim_leaves_no_tap_and_no_redirection() {
  run_pod "$STACK/network.rego" -d --with-ns "network:$(network_path one)" -- again sh -c "$serve" again
  expect "queues" "$(network_queues one)" '*ingress*'
  kill -9 "$(stack_shims)"
  wait_until 30 has_status again '' || stack_ctr tasks delete --force again || true
  stack_ctr containers delete again
  rm -rf "$STACK"/fifo/*  # ctr's own; a shim that is dead does not end their use.
  leaves_nothing
  expect "queues" "$(network_queues one)" ''
}

network_pod three 192.0.2.13
{ cat "$here/policies/run.rego"; echo 'ExecProcessRequest := true'; } |
  sed 's/"pause",/"pause", "wget", "ip", "ping", "ls",/' >"$STACK/network.rego"
run_cases a_pod_reaches_a_server_on_the_host the_guest_has_what_the_namespace_had \
  the_host_reaches_a_port_in_the_pod three_megabytes_come_through_unchanged \
  no_frame_is_larger_than_the_mtu two_pods_on_one_bridge_reach_each_other \
  the_guest_sends_nothing_into_the_hosts_own_network \
  a_pod_without_a_rule_for_the_network_does_not_start \
  a_namespace_without_an_interface_is_a_pod_without_one \
  a_debug_image_has_a_shell_and_the_release_has_none \
  removed_pods_leave_no_tap_and_no_redirection a_killed_shim_leaves_no_tap_and_no_redirection
