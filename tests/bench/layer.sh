#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Conversion of a layer of real files beside the usual tools: layer.sh [KATA_CCCTL]
# SOURCES (a list of directories) fill a tar of about TAR_MIB (500); RUNS (3) of ours, the best counts,
# and one of each other. Fails if the conversion takes more than half of what tar2sqfs, or mkfs.erofs on unpacked
# files, takes together with veritysetup; or more memory than MAX_RSS_MIB (100).
set -euo pipefail
cd "$(dirname "$0")/../.."
ctl=$(realpath "${1:-build/release/shim/ctl/kata-ccctl}")
[[ -x $ctl ]] || { echo "layer.sh: $ctl is missing: build it first" >&2; exit 1; }
for tool in tar2sqfs mksquashfs mkfs.erofs veritysetup python3; do
  command -v "$tool" >/dev/null || { echo "layer.sh: no $tool: run tests/setup/packages.sh vm peers" >&2; exit 1; }
done
work=$(mktemp -d "${TMPDIR:-/var/tmp}/layer-bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
say() { printf '== %s\n' "$*" >&2; }

say "a tar of about ${TAR_MIB:-500} MiB of ${SOURCES:-/usr/share /usr/lib/x86_64-linux-gnu /usr/bin}"
# The head of a list of real files, in the order of a walk, until the size is reached.
# shellcheck disable=SC2086 # a list of directories
find ${SOURCES:-/usr/share /usr/lib/x86_64-linux-gnu /usr/bin} -xdev -printf '%s %p\0' 2>/dev/null |
  LC_ALL=C sort -z -t' ' -k2 -r | TAR_MIB=${TAR_MIB:-500} python3 -c '
import os, sys
left = int(os.environ["TAR_MIB"]) << 20
for line in sys.stdin.buffer.read().split(b"\0")[:-1]:
    size, name = line.split(b" ", 1)
    left -= int(size) + 512
    if left < 0: break
    sys.stdout.buffer.write(name + b"\0")' >"$work/names"
tar --create --file "$work/layer.tar" --format=pax --no-recursion --null --files-from "$work/names" 2>/dev/null
mkdir "$work/tree"
tar --extract --file "$work/layer.tar" --directory "$work/tree"
gzip -1 -c "$work/layer.tar" >"$work/layer.tar.gz"
cat "$work/layer.tar" "$work/layer.tar.gz" >/dev/null
printf 'tar: %d MiB, %d entries; %s CPUs, load %s\n' $(($(stat -c %s "$work/layer.tar") >> 20)) \
  "$(tr -cd '\0' <"$work/names" | wc -c)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"

export work ctl
RUNS=${RUNS:-3} MAX_RSS_MIB=${MAX_RSS_MIB:-100} python3 - <<'PY'
import os, resource, subprocess, sys, time
work, ctl, runs = os.environ["work"], os.environ["ctl"], int(os.environ["RUNS"])

def run(*steps, runs=1):
    """Best wall time of the steps together, and the largest resident memory among them."""
    best, peak = None, 0
    for _ in range(runs):
        start = time.perf_counter()
        for step in steps:
            child = subprocess.Popen(["bash", "-c", "exec " + step], stdout=subprocess.DEVNULL,
                                     stderr=subprocess.PIPE)
            text = child.stderr.read()
            _, status, usage = os.wait4(child.pid, 0)
            if status != 0: sys.exit("%s: %s" % (step, text.decode()))
            peak = max(peak, usage.ru_maxrss // 1024)
        took = time.perf_counter() - start
        best = took if best is None else min(best, took)
    return best, peak

def size(path): return os.path.getsize(path) >> 20
os.chdir(work)
os.mkdir("out")
verity = "veritysetup format --salt=%s %%s %%s.tree" % ("0" * 64)
rows = [
    ("kata-ccctl, tar", run(f"{ctl} layer hash --output out layer.tar", runs=runs), "out/0.layer"),
    ("kata-ccctl, tar.gz", run(f"{ctl} layer hash --output out layer.tar.gz", runs=runs), "out/0.layer"),
    ("kata-ccctl, root hash only", run(f"{ctl} layer hash layer.tar", runs=runs), None),
    ("tar2sqfs gzip + veritysetup", run("tar2sqfs -q -f gzip.sqfs < layer.tar", verity % ("gzip.sqfs", "gzip.sqfs")), "gzip.sqfs"),
    ("tar2sqfs lz4 + veritysetup", run("tar2sqfs -q -f -c lz4 lz4.sqfs < layer.tar", verity % ("lz4.sqfs", "lz4.sqfs")), "lz4.sqfs"),
    ("mksquashfs -tar, no compression + veritysetup", run("mksquashfs - plain.sqfs -tar -noappend -quiet -no-progress -noI -noD -noF -noX < layer.tar", verity % ("plain.sqfs", "plain.sqfs")), "plain.sqfs"),
    ("mkfs.erofs of unpacked files + veritysetup", run("mkfs.erofs --quiet x.erofs tree", verity % ("x.erofs", "x.erofs")), "x.erofs"),
    ("unpack, mkfs.erofs + veritysetup", run("rm -rf again", "mkdir again", "tar -xf layer.tar -C again", "mkfs.erofs --quiet x.erofs again", verity % ("x.erofs", "x.erofs")), "x.erofs"),
]
print(f"{'':46} {'seconds':>8} {'MiB RSS':>8} {'MiB image':>9}")
for name, (seconds, peak), image in rows:
    print(f"{name:46} {seconds:8.2f} {peak:8} {size(image) if image else '':>9}")
ours, memory = rows[0][1]
peers = {name: r[0] for name, r, _ in rows[3:]}
failed = [f"memory {memory} MiB" ] if memory > int(os.environ["MAX_RSS_MIB"]) else []
for name in ("tar2sqfs gzip + veritysetup", "unpack, mkfs.erofs + veritysetup"):
    print(f"of {name}: {100 * ours / peers[name]:.0f} %")
    if ours > peers[name] / 2: failed.append("more than half of " + name)
if failed: sys.exit("layer.sh: " + "; ".join(failed))
PY
