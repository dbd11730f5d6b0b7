#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# snp_arguments_test.sh SNP_DOMAIN_XML: the QEMU arguments that libvirt makes of an SNP domain. libvirt
# refuses such a domain where the CPU has no SNP, so it gets a copy of what it knows of QEMU, with SNP
# added: the arguments are its own, but nothing is started. Needs root.
#
# Of an interface such a conversion keeps the model and the address alone. So the domain is started, too,
# with all that needs SNP or KVM taken out: its interface is as it was, and QEMU takes the arguments.
set -euo pipefail
program=$(realpath "$1")
top=$(cd "$(dirname "$0")/../.." && pwd)
libvirtd=$top/tests/setup/libvirtd.sh
work=$(mktemp -d /tmp/snp-arguments.XXXXXX)
known=${KATA_CC_LIBVIRT_CACHE:-/var/cache/kata-cc/libvirt}
trap '"$libvirtd" stop "$work/d" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# Once as it is: libvirt asks QEMU, and keeps the answer.
uri=$("$libvirtd" start "$work/d")
virsh -q -c "$uri" domcapabilities --emulatorbin /usr/bin/qemu-system-x86_64 --machine q35 >/dev/null
"$libvirtd" stop "$work/d"
cp -rp "$known" "$work/cache"
grep -q "<flag name='sev-snp-guest'/>" "$work"/cache/qemu/capabilities/*.xml ||
  sed -i "0,/<flag name=/s//<flag name='sev-guest'\/>\n  <flag name='sev-snp-guest'\/>\n  <flag name=/
    s|</qemuCaps>|  <sev>\n    <cbitpos>51</cbitpos>\n    <reducedPhysBits>1</reducedPhysBits>\n    <pdh>AAAA</pdh>\n    <certChain>AAAA</certChain>\n    <cpu0Id>AAAA</cpu0Id>\n  </sev>\n</qemuCaps>|" \
    "$work"/cache/qemu/capabilities/*.xml

mkdir "$work/image"
for file in vmlinuz initrd.img ovmf.fd initdata.img; do : >"$work/image/$file"; done
"$program" "$work/image" >"$work/domain.xml"
uri=$(KATA_CC_LIBVIRT_CACHE=$work/cache "$libvirtd" start "$work/d")
virsh -q -c "$uri" domxml-to-native qemu-argv --xml "$work/domain.xml" >"$work/arguments"

python3 - "$work/domain.xml" >"$work/started.xml" <<'EOF'
import sys, xml.etree.ElementTree as tree
domain = tree.parse(sys.argv[1])
root = domain.getroot()
root.set("type", "qemu")
for name in ("launchSecurity", "cpu"): root.remove(root.find(name))
for name in ("loader", "kernel", "initrd", "cmdline"): root.find("os").remove(root.find("os/" + name))
devices = root.find("devices")
for device in devices.findall("vsock") + devices.findall("disk"): devices.remove(device)
devices.find("controller[@type='virtio-serial']").remove(devices.find("controller[@type='virtio-serial']/driver"))
# QEMU sets this itself under a confidential machine: no legacy device goes by the DMA API.
qemu = "{http://libvirt.org/schemas/domain/qemu/1.0}"
nic = tree.SubElement(tree.SubElement(root, qemu + "override"), qemu + "device", alias="net0")
tree.SubElement(tree.SubElement(nic, qemu + "frontend"), qemu + "property",
                name="disable-legacy", type="string", value="on")
domain.write(sys.stdout, encoding="unicode")
EOF
virsh -q -c "$uri" create --paused "$work/started.xml"
tr '\0' '\n' <"/proc/$(<"$work/d/run/qemu/kata-cc-snp.pid")/cmdline" >"$work/started"
virsh -q -c "$uri" destroy kata-cc-snp

python3 - "$work/arguments" "$work/image" "$work/started" <<'EOF'
import base64, json, shlex, sys
words = shlex.split(open(sys.argv[1]).read())
image = sys.argv[2]
args = words[next(i for i, w in enumerate(words) if w.endswith("qemu-system-x86_64")) + 1:]
pairs = list(zip(args, args[1:]))
def all_of(flag): return [value for name, value in pairs if name == flag]
def one(flag):
    values = all_of(flag)
    assert len(values) == 1, (flag, values)
    return values[0]
def properties(text): return dict(p.split("=", 1) if "=" in p else (p, "") for p in text.split(","))
objects = [json.loads(v) for v in all_of("-object")]
devices = [json.loads(v) for v in all_of("-device")]
failed = []
def check(name, good):
    print(("ok      " if good else "FAILED  ") + name)
    if not good: failed.append(name)

machine = properties(one("-machine"))
snp = [o for o in objects if o["qom-type"] == "sev-snp-guest"]
check("one sev-snp-guest object", len(snp) == 1)
snp = snp[0]
check("the machine is under it", machine["confidential-guest-support"] == snp["id"])
check("kernel_irqchip is split", machine.get("kernel_irqchip") == "split")
check("q35 on kvm", "pc-q35" in one("-machine") and one("-accel") == "kvm")
check("kernel hashes", snp["kernel-hashes"] is True)
check("policy", snp["policy"] == 0x30000)
check("host data", base64.b64decode(snp["host-data"]) == b"\x5a" * 32)
check("id block and its keys", base64.b64decode(snp["id-block"]) == b"\x11" * 96 and
      base64.b64decode(snp["id-auth"]) == b"\x22" * 4096)
check("the author key is enabled", snp["author-key-enabled"] is True)
check("C-bit as on every EPYC with SNP", snp["cbitpos"] == 51 and snp["reduced-phys-bits"] == 1)
check("nothing else is set on it", set(snp) == {"qom-type", "id", "cbitpos", "reduced-phys-bits", "kernel-hashes",
      "policy", "host-data", "id-block", "id-auth", "author-key-enabled"})
check("firmware by -bios, no flash", one("-bios") == image + "/ovmf.fd" and not all_of("-pflash") and
      not any("pflash" in v for v in all_of("-blockdev") + [one("-machine")]))
check("the CPU model that is measured", one("-cpu") == "EPYC-v4")
check("vCPUs at launch, none to come", properties(one("-smp")).get("maxcpus") is None and one("-smp").startswith("3"))
check("direct boot", one("-kernel") == image + "/vmlinuz" and one("-initrd") == image + "/initrd.img" and
      one("-append") == "quiet kata_cc.tee=snp")
memory = [o for o in objects if o["qom-type"].startswith("memory-backend")]
check("private memory, not shared", len(memory) == 1 and memory[0]["qom-type"] == "memory-backend-ram" and
      not memory[0].get("share"))
check("no memory slots", "slots" not in one("-m") and "maxmem" not in one("-m"))
check("no defaults, no user's configuration", "-nodefaults" in args and "-no-user-config" in args)
allowed = {"pcie-root-port", "pcie-pci-bridge", "virtio-serial-pci", "virtconsole", "vhost-vsock-pci", "virtio-blk-pci",
           "virtio-net-pci"}
check("no other device: " + ", ".join(sorted({d["driver"] for d in devices} - allowed)),
      {d["driver"] for d in devices} <= allowed)
check("virtio goes by the DMA API", all(d.get("iommu_platform") is True for d in devices
      if d["driver"].startswith(("virtio-", "vhost-")) and d["driver"] != "virtio-net-pci"))
check("one interface", [d["mac"] for d in devices if d["driver"] == "virtio-net-pci"] == ["02:00:00:00:00:01"])
started = open(sys.argv[3]).read().split("\n")
nics = [json.loads(value) for name, value in zip(started, started[1:])
        if name == "-device" and "virtio-net-pci" in value]
check("the interface, too, and has no boot rom", len(nics) == 1 and nics[0].get("iommu_platform") is True and
      nics[0].get("romfile", nics[0].get("rombar")) in ("", 0) and nics[0]["host_mtu"] == 1450)
check("initdata is read-only", any('"read-only":true' in v for v in all_of("-blockdev")))
check("the sandbox of QEMU is on", one("-sandbox").startswith("on"))
sys.exit(bool(failed))
EOF
