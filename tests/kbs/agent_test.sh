#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent's binary, the simulator's host side and a key broker, each a process of its own, without
# a VM: agent_test.sh BUILD_DIR. A secret reaches a workload on loopback only from a guest that was
# launched with the values that the broker expects.
set -euo pipefail
build=$(realpath "$1")
agent=$build/agent/kata-cc-agent ctl=$build/shim/ctl/kata-ccctl kbs=$build/tests/kbs/kata-cc-test-kbs
work=$(mktemp -d /tmp/kata-cc-kbs.XXXXXX)
pids=()
cleanup() {
  local status=$?
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  [[ $status -eq 0 ]] || tail -n 40 "$work"/*.log >&2 || true
  rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; fail "waited for: $*"; }

cd "$work"
"$ctl" sim init --dir "$work/sim" >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kbs \
  -addext subjectAltName=DNS:localhost -keyout kbs.key -out kbs.pem 2>/dev/null
kbs_port=$(free_port)
head -c 3000 /dev/urandom >kernel
head -c 3000 /dev/urandom >initrd
append="quiet kata_cc.tee=sim"
head -c 72 /dev/urandom | base64 -w0 >secret

# What the pod's owner writes: the policy and the broker, and so its digest.
{
  printf 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n'
  printf '"policy.rego" = '"'''"'\npackage agent_policy\nimport rego.v1\n'
  printf 'AttestationApiRequest if input.path in {"/info", "/aa/evidence", "/cdh/resource/default/key/1"}\n'"'''\n"
  printf '"aa.toml" = '"'''"'\n[token_configs.kbs]\nurl = "https://localhost:%s"\ncert = """\n%s\n"""\n'"'''\n" \
    "$kbs_port" "$(cat kbs.pem)"
} >initdata.toml
python3 - <<'PY'
import gzip, struct
packed = gzip.compress(open("initdata.toml", "rb").read(), mtime=0)
image = b"initdata" + struct.pack("<Q", len(packed)) + packed
open("initdata.img", "wb").write(image + bytes(-len(image) % 512))
PY
host_data=$(sha256sum initdata.toml | cut -d' ' -f1)

# What the verifier expects, from public files alone.
"$ctl" sim firmware stand-in.fd
measurement=$("$ctl" measure --mode snp --vcpus 1 --vcpu-type EPYC-v4 --ovmf stand-in.fd \
  --kernel kernel --initrd initrd --append "$append")
"$kbs" --ark "$work/sim/ark.pem" --expect-measurement "$measurement" --expect-host-data "$host_data" \
  --expect-policy 0x30000 --resource default/key/1=secret --port "$kbs_port" --certificate kbs.pem \
  --key kbs.key >kbs.log 2>&1 &
pids+=($!)
wait_for grep -q https://localhost kbs.log

# boot NAME HOST_DATA APPEND: the simulator with these launch inputs, and an agent in its guest.
boot() {
  local name=$1
  api_port=$(free_port)
  "$ctl" sim serve --dir "$work/sim" --socket "$work/$name.sim" --kernel kernel --initrd initrd \
    --append "$3" --host-data "$2" >"$name.sim.log" 2>&1 &
  pids+=($!)
  wait_for test -S "$name.sim"
  mkdir "$name.cgroup"
  "$agent" --listen "unix://$work/$name.sock" --sim-socket "$work/$name.sim" --initdata initdata.img \
    --api-port "$api_port" --run-dir "$work/$name.run" --crun-root "$work/$name.crun" \
    --cgroup-root "$work/$name.cgroup" >"$name.agent.log" 2>&1 &
  agent_pid=$!
  pids+=("$agent_pid")
}
api() { curl --silent --max-time 60 --output "$2" --write-out '%{http_code}' "http://127.0.0.1:$api_port$1"; }

boot good "$host_data" "$append"
wait_for grep -q '"serving"' good.agent.log
grep -q 'THE TEE OF THIS GUEST IS SIMULATED' good.agent.log || fail "the agent does not say that its TEE is simulated"
status=$(api /cdh/resource/default/key/1 got) || true
[[ $status == 200 ]] || fail "resource: $status $(cat got)"
cmp secret got || fail "the secret came out differently"
[[ $(api "/aa/evidence?runtime_data=hello" evidence) == 200 ]] || fail "evidence"
python3 - "$measurement" "$host_data" <<'PY' || fail "the evidence has other values"
import json, sys
report = json.load(open("evidence"))["attestation_report"]
assert bytes(report["measurement"]).hex() == sys.argv[1]
assert bytes(report["host_data"]).hex() == sys.argv[2]
assert bytes(report["report_data"]).rstrip(b"\0") == b"hello"
PY
[[ $(api "/aa/token?token_type=kbs" out) == 403 ]] || fail "a path that the policy does not allow"
[[ $(api /cdh/resource/default/key/2 out) == 403 ]] || fail "a resource that the policy does not allow"
# Nobody wrote it down: as it is, in base64, in hexadecimal or as a list of numbers.
for log in good.agent.log good.sim.log kbs.log; do
  for text in "$(<secret)" "$(head -c 30 secret | base64)" "$(head -c 30 secret | od -An -tx1 | tr -d " \n")" \
    "$(head -c 8 secret | od -An -tu1 | sed 's/^ *//; s/  */,/g')"; do
    grep -qF -- "$text" "$log" && fail "the secret is in $log"
  done
done
kill "$agent_pid"

boot cmdline "$host_data" "$append init=/bin/sh"
wait_for grep -q '"serving"' cmdline.agent.log
[[ $(api /cdh/resource/default/key/1 out) == 500 ]] || fail "another command line got: $(cat out)"
grep -q 'AttestationClaimsDenied: measurement' out || fail "the reason: $(cat out)"
kill "$agent_pid"

head -c 3000 /dev/urandom >initrd
boot initrd "$host_data" "$append"
wait_for grep -q '"serving"' initrd.agent.log
[[ $(api /cdh/resource/default/key/1 out) == 500 ]] || fail "another initrd got: $(cat out)"
kill "$agent_pid"

boot hostdata "$(printf '0%.0s' $(seq 64))" "$append"
wait "$agent_pid" && fail "an agent whose initdata is not the launch's has served"
grep -q 'initdata: its digest is not the host data' hostdata.agent.log || fail "no reason"
echo "ok"
