#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Launch digests: kata-ccctl measure beside sev-snp-measure (PyPI), same inputs, runs in turn.
# measure.sh KATA_CCCTL [OVMF KERNEL INITRD]. Without images: a 4 MiB image that ends as the test
# vectors' OVMF does (KATA_CC_VECTORS), without kernel. Fails when the digests differ, or when the
# median run is not at least MIN_RATIO (default 20) times as fast.
set -euo pipefail

ctl=$(realpath "${1:?usage: measure.sh KATA_CCCTL [OVMF KERNEL INITRD]}")
runs=${RUNS:-21}
min_ratio=${MIN_RATIO:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install sev-snp-measure==0.0.13 >&2
peer=$work/venv/bin/sev-snp-measure

if [[ $# -ge 4 ]]; then
  images=(--ovmf "$2" --kernel "$3" --initrd "$4" --append "console=ttyS0")
else
  suffix=${KATA_CC_VECTORS:?}/fixtures/ovmf_AmdSev_suffix.bin
  { head -c $((4 * 1024 * 1024 - $(stat -c %s "$suffix"))) /dev/zero; cat "$suffix"; } >"$work/ovmf.fd"
  images=(--ovmf "$work/ovmf.fd")
fi

RUNS=$runs MIN_RATIO=$min_ratio python3 - "$ctl" "$peer" "${images[@]}" <<'EOF'
import os, statistics, subprocess, sys, time
ctl, peer, images = sys.argv[1], sys.argv[2], sys.argv[3:]
flags = ["--mode", "snp", "--vcpus", "4", "--vcpu-type", "EPYC-v4"] + images
commands = {"kata-ccctl measure": [ctl, "measure"] + flags, "sev-snp-measure": [peer] + flags}
times = {name: [] for name in commands}
digests = set()
for _ in range(int(os.environ["RUNS"])):
    for name, command in commands.items():
        begin = time.perf_counter()
        digests.add(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
        times[name].append(time.perf_counter() - begin)
if len(digests) != 1:
    sys.exit(f"digests differ: {digests}")
median = {name: statistics.median(values) * 1000 for name, values in times.items()}
for name, value in median.items():
    print(f"{name:20} {value:8.2f} ms")
ratio = median["sev-snp-measure"] / median["kata-ccctl measure"]
print(f"ratio                {ratio:8.1f}")
sys.exit(ratio < float(os.environ["MIN_RATIO"]))
EOF
