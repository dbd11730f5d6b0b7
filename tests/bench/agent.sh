#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent's figures: size of the stripped binary, time from exec to the first answer, resident
# memory idle. agent.sh [KATA_CC_AGENT]; fails beyond MAX_MIB (8), MAX_MS (10), MAX_RSS_MIB (8).
set -euo pipefail
cd "$(dirname "$0")/../.."
agent=$(realpath "${1:-build/release/agent/kata-cc-agent}")
[[ -x $agent ]] || { echo "agent.sh: $agent is missing: build it first" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
strip -o "$work/agent" "$agent"

RUNS=${RUNS:-31} python3 - "$work" <<'EOF'
import os, socket, statistics, struct, subprocess, sys, time
work, runs = sys.argv[1], int(os.environ["RUNS"])
limits = [float(os.environ.get(*d)) for d in (("MAX_MIB", "8"), ("MAX_MS", "10"), ("MAX_RSS_MIB", "8"))]
path = work + "/agent.sock"

def field(number, data):
    return bytes([number << 3 | 2, len(data)]) + data
request = field(1, b"grpc.Health") + field(2, b"Check")
frame = struct.pack(">IIBB", len(request), 1, 1, 0) + request

def run():
    if os.path.exists(path): os.unlink(path)
    start = time.perf_counter()
    agent = subprocess.Popen([work + "/agent", "--listen", "unix://" + path, "--log", "error",
                              "--run-dir", work + "/run", "--cgroup-root", work],
                             stdout=subprocess.DEVNULL)
    try:
        with socket.socket(socket.AF_UNIX) as client:
            while True:
                try: client.connect(path); break
                except OSError:
                    if agent.poll() is not None: sys.exit("agent.sh: the agent ended")
                    time.sleep(0.0002)
            client.sendall(frame)
            length, _, kind, _ = struct.unpack(">IIBB", client.recv(10))
            reply = client.recv(length)
            took = (time.perf_counter() - start) * 1000
            if kind != 2 or field(2, b"\x08\x01") not in reply: sys.exit(f"agent.sh: {reply}")
        time.sleep(0.05)
        status = open(f"/proc/{agent.pid}/status").read()
        return took, int(status.split("VmRSS:")[1].split()[0]) / 1024
    finally:
        agent.kill(); agent.wait()

results = [run() for _ in range(runs)]
figures = [os.path.getsize(work + "/agent") / 2**20,
           statistics.median(r[0] for r in results), statistics.median(r[1] for r in results)]
names = ["stripped binary, MiB", "exec to first answer, ms (median of %d)" % runs,
         "resident memory idle, MiB"]
for name, figure, limit in zip(names, figures, limits):
    print(f"{name}: {figure:.2f} (goal {limit:g})")
sys.exit(any(f > l for f, l in zip(figures, limits)))
EOF
