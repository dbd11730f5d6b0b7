#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The agent as PID 1 of a virtual machine, under hosts that mean well and hosts that do not:
# boot_test.sh [KATA_CC_AGENT [KERNEL]]. The machine has the agent, two modules and nothing else.
# A case starts QEMU itself (accel=tcg) and takes some 5 s.
set -euo pipefail
cd "$(dirname "$0")/../.."
agent=$(realpath "${1:-build/release/agent/kata-cc-agent}")
kernel=${2:-$(tests/setup/guest-kernel.sh)}
[[ -x $agent ]] || { echo "boot_test.sh: $agent is missing: build it first" >&2; exit 1; }
ctl=$(dirname "$agent")/../shim/ctl/kata-ccctl
[[ -x $ctl ]] || { echo "boot_test.sh: $ctl is missing: build it first" >&2; exit 1; }
modules=/lib/modules/${kernel##*/vmlinuz-}/kernel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/root/lib/modules"
install -s "$agent" "$work/root/init"
cp "$modules"/fs/overlayfs/overlay.ko* "$modules"/drivers/block/virtio_blk.ko* \
  "$work/root/lib/modules/"
(cd "$work/root/lib/modules" && printf '%s\n' *.ko*) >"$work/kata-cc.list"
mv "$work/kata-cc.list" "$work/root/lib/modules/"
(cd "$work/root" && find . | LC_ALL=C sort | cpio -o -H newc --quiet) >"$work/initrd"

KERNEL=$kernel CTL=$ctl python3 - "$work" <<'EOF'
import atexit, gzip, hashlib, os, socket, struct, subprocess, sys, time
work, kernel, ctl = sys.argv[1], os.environ["KERNEL"], os.environ["CTL"]
failed = []

def field(number, data):
    size, length = len(data), b""
    while size > 0x7f: length, size = length + bytes([size & 0x7f | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data

class Machine:
    # host_data: those of a launch with the simulator of SEV-SNP.
    def __init__(self, append, disk=None, host_data=None):
        self.console, self.port, self.stream = work + "/console", work + "/port", 1
        for path in (self.console, self.port):
            if os.path.exists(path): os.unlink(path)
        append = "console=ttyS0 quiet loglevel=3 panic=-1 " + append
        command = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-m", "256",
                   "-nodefaults", "-nographic", "-no-reboot", "-kernel", kernel, "-initrd", work + "/initrd",
                   "-append", append,
                   "-serial", "file:" + self.console, "-device", "virtio-serial-pci",
                   "-chardev", f"socket,id=agent,path={self.port},server=on,wait=off",
                   "-device", "virtserialport,chardev=agent,name=org.kata-cc.agent.0"]
        if disk is not None:
            open(work + "/disk", "wb").write(disk)
            command += ["-drive", f"file={work}/disk,if=virtio,format=raw,readonly=on"]
        if host_data is not None:
            command += ["-chardev", f"socket,id=sim,path={self.simulator(append, host_data)}",
                        "-device", "virtserialport,chardev=sim,name=org.kata-cc.sim.0"]
        self.qemu = subprocess.Popen(command)
        atexit.register(self.end)

    # The host side, which ends with QEMU.
    def simulator(self, append, host_data):
        path = work + "/sim.sock"
        subprocess.Popen([ctl, "sim", "serve", "--dir", work + "/sim", "--socket", path, "--kernel", kernel,
                          "--initrd", work + "/initrd", "--append", append, "--host-data", host_data],
                         stdout=subprocess.DEVNULL)
        for attempt in range(600):
            if os.path.exists(path): return path
            time.sleep(0.1)
        sys.exit("boot_test.sh: kata-ccctl sim serve does not listen")

    def log(self):
        return open(self.console, errors="replace").read() if os.path.exists(self.console) else ""

    # The console's text once it holds what is awaited, or the machine is off.
    def wait(self, text, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if text in self.log(): return True
            if self.qemu.poll() is not None: return text in self.log()
            time.sleep(0.1)
        return False

    def off(self, seconds=20):
        try: return self.qemu.wait(seconds) == 0
        except subprocess.TimeoutExpired: return False

    def connect(self, patience=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(self.port)
        self.stream = 1

    def call(self, service, method, payload=b""):
        request = field(1, service) + field(2, method) + field(3, payload)
        self.socket.sendall(struct.pack(">IIBB", len(request), self.stream, 1, 0) + request)
        reply = b""
        while len(reply) < 10: reply += self.socket.recv(10 - len(reply))
        length, stream = struct.unpack(">II", reply[:8])
        assert stream == self.stream
        reply = b""
        while len(reply) < length: reply += self.socket.recv(length - len(reply))
        self.stream += 2
        return reply

    def end(self):
        self.qemu.kill(); self.qemu.wait()

def check(name, good, machine):
    print(("ok      " if good else "FAILED  ") + name, flush=True)
    if not good:
        failed.append(name)
        print(machine.log()[-2000:])

SERIAL = "kata_cc.transport=virtio-serial "
POLICY = b"package agent_policy\nGuestDetailsRequest := true\n"
TOML = b'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"policy.rego" = """' + POLICY + b'"""\n'
def image(document):
    packed = gzip.compress(document)
    data = b"initdata" + struct.pack("<Q", len(packed)) + packed
    return data + bytes(-len(data) % 512)

m = Machine(SERIAL + "kata_cc.tee=none KATA_AGENT_POLICY_FILE=/etc/passwd", bytes(1 << 20))
check("boots and serves", m.wait('"serving"'), m)
if m.qemu.poll() is None:
    m.connect()
    check("answers Health.Check", field(2, b"\x08\x01") in m.call(b"grpc.Health", b"Check"), m)
    reply = m.call(b"grpc.AgentService", b"GetGuestDetails")
    check("the default policy denies", b"GuestDetailsRequest is blocked by policy" in reply, m)
    m.call(b"grpc.AgentService", b"SetPolicy", field(1, POLICY))
    reply = m.call(b"grpc.AgentService", b"GetGuestDetails")
    check("the policy that was set allows", b"blocked" not in reply and b"\x10\x01" in reply, m)
    reply = m.call(b"grpc.AgentService", b"SetPolicy", field(1, POLICY))
    check("a second one is refused", b"SetPolicyRequest is blocked by policy" in reply, m)
    m.socket.sendall(b"\x00\x00\x10\x00\x00")  # A frame's beginning, and the peer is gone.
    m.socket.close()
    for attempt in range(8):  # A serial port has no end: what the last peer began may swallow a request.
        m.connect(patience=2)
        try: reply = m.call(b"grpc.Health", b"Check"); break
        except TimeoutError: reply = b""; m.socket.close()
    check("serves the next client of the port", b"\x08\x01" in reply, m)
m.end()

m = Machine(SERIAL + "kata_cc.tee=none", image(TOML))
check("takes the policy of initdata", m.wait('"serving"'), m)
if m.qemu.poll() is None:
    m.connect()
    check("and follows it", b"blocked" not in m.call(b"grpc.AgentService", b"GetGuestDetails"), m)
m.end()

digest = lambda text: hashlib.sha256(text).hexdigest()
m = Machine(SERIAL + "kata_cc.tee=sim", image(TOML), digest(TOML))
check("takes the initdata that its report names", m.wait('"serving"'), m)
check("says that its TEE is simulated", "THE TEE OF THIS GUEST IS SIMULATED" in m.log(), m)
m.end()

m = Machine(SERIAL + "kata_cc.tee=sim", None, digest(POLICY))
check("boots with the digest of a policy", m.wait('"serving"'), m)
if m.qemu.poll() is None:
    m.connect()
    reply = m.call(b"grpc.AgentService", b"SetPolicy", field(1, POLICY + b"ExecProcessRequest := true\n"))
    check("refuses a policy that its report does not name", b"is not the host data" in reply, m)
    m.call(b"grpc.AgentService", b"SetPolicy", field(1, POLICY))
    reply = m.call(b"grpc.AgentService", b"GetGuestDetails")
    check("takes the policy that it names", b"blocked" not in reply and b"\x10\x01" in reply, m)
m.end()

m = Machine(SERIAL + "kata_cc.tee=sim", image(TOML), digest(TOML + b"\n"))
good = m.wait("fatal: initdata: its digest is not the host data of this guest's report")
check("powers off: initdata that its report does not name", good and m.off(), m)
m.end()

for name, append, disk, reason in (
    ("the simulator on the command line alone", SERIAL + "kata_cc.tee=sim", None, "fatal: attestation: virtio port: "),
    ("an unknown key", SERIAL + "kata_cc.tee=none kata_cc.policy=off", None,
     "fatal: kernel command line: kata_cc.policy: unknown key"),
    ("no report and no leave to go without", SERIAL, None, "fatal: attestation: "),
    ("initdata of another version", SERIAL + "kata_cc.tee=none", image(TOML.replace(b"0.1.0", b"0.2.0")),
     "fatal: initdata: version is not 0.1.0"),
    ("initdata that is no gzip", SERIAL + "kata_cc.tee=none", b"initdata" + bytes([10]) + bytes(1015),
     "fatal: initdata: not a whole gzip stream"),
):
    m = Machine(append, disk)
    good = m.wait(reason)
    check("powers off: " + name, good and m.off(), m)
    m.end()
sys.exit(bool(failed))
EOF
