#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Time from `ctr run` to the container's first output, by stages, beside a raw boot: the same kernel
# and command line in the same QEMU and machine, to an init that prints a line. The two run in turn.
# Also the shim's resident memory with one pod.
#   pod_start.sh [BUILD_DIR]     RUNS (5), MAX_RATIO (1.25), MAX_RSS_MIB (15); fails beyond these.
set -Eeuo pipefail
trap 'echo "pod_start.sh: line $LINENO: $BASH_COMMAND: status $?" >&2' ERR
cd "$(dirname "$0")/../.."
KATA_CC_BUILD=$(realpath "${1:-build/release}")
runs=${RUNS:-5}
# shellcheck source=tests/e2e/stack.sh
source tests/e2e/stack.sh
[[ -x $KATA_CC_BUILD/tests/bench/raw_init ]] || fail "$KATA_CC_BUILD/tests/bench/raw_init: not built"
trap stack_stop EXIT
stack_start
dir=$STACK/bench
mkdir -p "$dir/root"
install -s "$KATA_CC_BUILD/tests/bench/raw_init" "$dir/root/init"
(cd "$dir/root" && echo init | cpio --quiet -o -H newc) >"$dir/raw.img"

ms_since() { echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000)); }

# QEMU's arguments are those that libvirt gave the pod's QEMU, less what needs libvirt.
raw_boot() {
  local began pid console=$dir/console
  : >"$console"
  began=$EPOCHREALTIME
  qemu-system-x86_64 -machine q35,usb=off,hpet=off,accel=tcg,acpi=on -cpu "$(<"$dir/cpu")" -m 2048 \
    -overcommit mem-lock=off -smp 1,sockets=1,cores=1,threads=1 -display none -no-user-config \
    -nodefaults -no-reboot -rtc base=utc -kernel "$KATA_CC_IMAGE/vmlinuz" -initrd "$dir/raw.img" \
    -append "$(<"$dir/cmdline")" -chardev "file,id=console,path=$console" \
    -device pcie-root-port,port=8,chassis=1,id=pci.1,bus=pcie.0,addr=0x1 \
    -device pcie-pci-bridge,id=pci.2,bus=pci.1,addr=0x0 \
    -device pcie-root-port,port=9,chassis=3,id=pci.3,bus=pcie.0,addr=0xd \
    -device pcie-pci-bridge,id=pci.4,bus=pci.3,addr=0x0 \
    -device pcie-root-port,port=10,chassis=5,id=pci.5,bus=pcie.0,addr=0xe \
    -device pcie-pci-bridge,id=pci.6,bus=pci.5,addr=0x0 \
    -device virtio-serial-pci,id=serial,bus=pcie.0,addr=0x2 -device virtconsole,chardev=console &
  pid=$!
  until [[ -s $console ]] && grep -q KATA-CC-RAW-BOOT "$console"; do sleep 0.005; done
  ms_since "$began"
  kill -9 $pid
  wait $pid 2>/dev/null || true
}

log_time() {  # log_time PATTERN...: when the shim's first log line with all of these was written, ms.
  awk -v wanted="$(printf '%s\n' "$@")" '
    BEGIN { n = split(wanted, words, "\n") }
    /^\{"time":/ {
      for (i = 1; i <= n; i++) if (!index($0, words[i])) next
      print substr($0, 10, 24); exit
    }' "$dir/log" | { read -r time && date -d "$time" +%s%3N; }
}
field() { grep -o "\"$1\":\"[0-9]*\"" <<<"$2" | grep -o '[0-9]*'; }

# One pod; a line of "stage ms" pairs to $dir/stages.
pod_start() {
  local id=p$1 began first state serving shim log=$STACK/containerd/containerd.log offset
  offset=$(stat -c %s "$log")
  : >"$dir/out"  # What the last pod said is not this one's output.
  began=$EPOCHREALTIME
  run_pod run -- "$id" sh -c 'echo first; exec sleep 1000' >"$dir/out" 2>&1 &
  local run=$!  # The stack has background jobs of its own.
  until read -r first <"$dir/out"; do sleep 0.005; done
  total=$(ms_since "$began")
  [[ $first == first ]] || fail "the pod said: $(<"$dir/out")"
  tail -c +$((offset + 1)) "$log" >"$dir/log"
  state=$(dirname "$(grep -lF "$STACK" /run/kata-cc/*/sandbox.json)")
  serving=$(grep '"msg":"serving"' "$state/console.log")
  shim=$(stack_shims)
  tr '\0' '\n' <"/proc/$(stack_vmms "$id")/cmdline" >"$dir/argv"
  grep -A 1 -x -e -append "$dir/argv" | tail -n 1 >"$dir/cmdline"
  grep -A 1 -x -e -cpu "$dir/argv" | tail -n 1 >"$dir/cpu"
  awk '/^VmRSS|^RssAnon/ { printf "%s%.1f", n++ ? " " : "", $2 / 1024 } END { print "" }' \
    "/proc/$shim/status" >>"$dir/rss"
  local t0=$((${began/./} / 1000)) shim_serves created vm agent sandbox container started boot
  shim_serves=$(log_time '"msg":"serving"')
  vm=$(log_time '"stage":"vm start"')
  agent=$(log_time '"stage":"agent up"')
  sandbox=$(log_time '"stage":"sandbox"')
  container=$(log_time '"stage":"container"')
  created=$(log_time '"method":"Create"')
  started=$(log_time '"method":"Start"')
  boot=$(field duration_ms "$serving")
  echo "$((shim_serves - t0)) $((vm - shim_serves)) $((agent - vm - boot)) $boot" \
    "$((sandbox - agent)) $((container - sandbox)) $((started - container))" \
    "$((t0 + total - started)) $total $created" >>"$dir/stages"
  stack_ctr tasks kill --signal SIGKILL "$id"
  wait "$run" || true
  stack_ctr tasks delete "$id" >/dev/null 2>&1 || true
  stack_ctr containers delete "$id"
  leaves_nothing
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
column() { awk -v n="$1" '{ print $n }' "$2"; }

echo "== one pod to warm up, then $runs pods and $runs raw boots in turn" >&2
pod_start warm
: >"$dir/stages"
: >"$dir/rss"
for ((i = 0; i < runs; i++)); do
  pod_start "$i"
  raw_boot >>"$dir/raw"
done
names=("containerd and shim start" "domain start" "kernel to agent" "agent to serving"
  "policy and sandbox" "create container" "start" "first output")
for i in "${!names[@]}"; do
  printf '%-28s %6d ms\n' "${names[i]}" "$(column $((i + 1)) "$dir/stages" | median)"
done
whole=$(column 9 "$dir/stages" | median)
raw=$(median <"$dir/raw")
rss=$(column 1 "$dir/rss" | median)
printf '%-28s %6d ms\n%-28s %6d ms\n' "whole, median of $runs" "$whole" "raw boot, median of $runs" "$raw"
# Of each pair, one after the other: the machine's own speed changes over the runs.
ratio=$(paste <(column 9 "$dir/stages") "$dir/raw" | awk '{ printf "%.3f\n", $1 / $2 }' | median)
awk -v ratio="$ratio" -v rss="$rss" -v anon="$(column 2 "$dir/rss" | median)" \
  -v max="${MAX_RATIO:-1.25}" -v max_rss="${MAX_RSS_MIB:-15}" 'BEGIN {
    printf "ratio, median of the pairs %.2f (goal %s)\n", ratio, max
    printf "shim with one pod: resident %.1f MiB (goal %s), of these anonymous %.1f MiB\n", rss, max_rss, anon
    exit ratio > max || rss > max_rss }' || { trap - ERR; exit 1; }
