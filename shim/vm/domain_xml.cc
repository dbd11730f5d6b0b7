// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/domain_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "proto/snp/sim/wire.h"

namespace kata_cc::shim {
namespace {

constexpr int kFirstBridgeSlot = 0x0d;  // Of the second bridge's root port.
constexpr int kFirstNicSlot = 5;

// pcie-root, then for each bridge its root port and itself.
int BridgeBus(int bridge) {
  return 2 + 2 * bridge;
}

// What a path, a name or a command line may hold: no control character is legal in XML 1.0 or
// wanted in these.
Result<std::string> Escape(std::string_view what, std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f)
      return Error(Code::kInvalidArgument, fmt::format("vm: {}: has a control character", what));
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&apos;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

Result<std::string> Path(std::string_view what, const std::string& path) {
  if (path.empty() || path[0] != '/')
    return Error(Code::kInvalidArgument, fmt::format("vm: {}: not an absolute path", what));
  return Escape(what, path);
}

bool IsBase64(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '=';
  });
}

std::string Base64(const std::array<std::uint8_t, 32>& bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8U | (k < left ? bytes[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      text += k <= left ? kDigits[group >> (18U - 6U * k) & 63U] : '=';
  }
  return text;
}

// In an SNP guest a device reaches only shared memory, so virtio has to go through the DMA API.
std::string_view Iommu(const VmConfig& config) {
  return config.tee == Tee::kSnp ? " iommu='on'" : "";
}

Result<void> Check(const VmConfig& config, Accelerator accelerator) {
  const bool name_ok = !config.name.empty() && config.name.size() <= 200 &&
                       std::all_of(config.name.begin(), config.name.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                       });
  if (!name_ok) return Error(Code::kInvalidArgument, "vm: name: not [A-Za-z0-9._-]{1,200}");
  if (config.vcpus < 1 || config.vcpus > 240)
    return Error(Code::kInvalidArgument, fmt::format("vm: vcpus: {}: not 1..240", config.vcpus));
  if (config.memory_mib < 64 || config.memory_mib > 16U << 20)
    return Error(Code::kInvalidArgument,
                 fmt::format("vm: memory: {} MiB: not 64 MiB..16 TiB", config.memory_mib));
  if (config.tee != Tee::kSnp) return {};
  if (accelerator != Accelerator::kKvm)
    return Error(Code::kFailedPrecondition, "vm: snp: the accelerator is not kvm");
  if (config.firmware.empty())
    return Error(Code::kFailedPrecondition, "vm: snp: no firmware is configured");
  if (!config.host_data) return Error(Code::kFailedPrecondition, "vm: snp: no host data");
  if (config.snp_id_block.empty() != config.snp_id_auth.empty())
    return Error(Code::kInvalidArgument, "vm: snp: id block and id auth go together");
  if (!IsBase64(config.snp_id_block) || !IsBase64(config.snp_id_auth))
    return Error(Code::kInvalidArgument, "vm: snp: id block or id auth is not base64");
  return {};
}

Result<std::string> OsXml(const VmConfig& config) {
  std::string xml = "  <os>\n    <type arch='x86_64' machine='q35'>hvm</type>\n";
  // A rom: SNP guests have no flash with a variable store, nothing persists outside the launch.
  if (config.tee == Tee::kSnp)
    xml += fmt::format("    <loader type='rom' stateless='yes'>{}</loader>\n",
                       TRY(Path("firmware", config.firmware)));
  xml += fmt::format("    <kernel>{}</kernel>\n", TRY(Path("kernel", config.kernel)));
  xml += fmt::format("    <initrd>{}</initrd>\n", TRY(Path("initrd", config.initrd)));
  xml += fmt::format("    <cmdline>{}</cmdline>\n",
                     TRY(Escape("kernel command line", config.kernel_command_line)));
  return xml + "  </os>\n";
}

std::string CpuXml(const VmConfig& config, Accelerator accelerator) {
  // The CPU model goes into the launch measurement, so for SNP it is fixed.
  if (config.tee == Tee::kSnp)
    return "  <cpu mode='custom' match='exact' check='none'>\n"
           "    <model fallback='forbid'>EPYC-v4</model>\n  </cpu>\n";
  if (accelerator == Accelerator::kKvm) return "  <cpu mode='host-passthrough' check='none'/>\n";
  // Emulated page walks are slow enough with four levels; and the kernel copies and clears by loops
  // of eight bytes, when it is not told that instructions which QEMU carries out byte by byte are
  // fast.
  std::string xml = "  <cpu mode='maximum' check='none'>\n";
  for (const char* feature : {"la57", "erms", "fsrm", "fsrs", "fsrc", "fzrm"})
    xml += fmt::format("    <feature policy='disable' name='{}'/>\n", feature);
  return xml + "  </cpu>\n";
}

bool IsMac(const std::string& text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (i % 3 == 2 ? c != ':' : !digit) return false;
  }
  return true;
}

bool IsTapName(const std::string& name) {
  return !name.empty() && name.size() <= 15 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_';
  });
}

// No boot rom: nobody boots from it, and an SNP guest must not run what is not measured. The queues
// are as many as Kata's, one a vCPU.
Result<std::string> NicsXml(const VmConfig& config) {
  std::string xml;
  if (config.nics.size() > kMaxNics)
    return Error(Code::kInvalidArgument, fmt::format("vm: more than {} interfaces", kMaxNics));
  for (std::size_t i = 0; i < config.nics.size(); ++i) {
    const VmNic& nic = config.nics[i];
    if (!IsTapName(nic.tap)) return Error(Code::kInvalidArgument, "vm: tap: not a name for one");
    if (!IsMac(nic.mac)) return Error(Code::kInvalidArgument, "vm: tap: not a MAC address");
    if (nic.mtu < 68 || nic.mtu > 65521)
      return Error(Code::kInvalidArgument, fmt::format("vm: MTU: {}: not 68..65521", nic.mtu));
    const std::uint32_t queues = std::min(config.vcpus, kMaxNicQueues);
    xml += fmt::format(
        "    <interface type='ethernet'>\n      <mac address='{}'/>\n"
        "      <target dev='{}'/>\n      <model type='virtio'/>\n      <driver{}{}/>\n"
        "      <mtu size='{}'/>\n      <rom enabled='no'/>\n"
        "      <address type='pci' bus='0x00' slot='0x{:02x}' function='0x0'/>\n"
        "    </interface>\n",
        nic.mac, nic.tap, queues > 1 ? fmt::format(" queues='{}'", queues) : "", Iommu(config),
        nic.mtu, kFirstNicSlot + static_cast<int>(i));
  }
  return xml;
}

Result<std::string> DevicesXml(const VmConfig& config) {
  std::string xml = "  <devices>\n";
  xml += fmt::format("    <emulator>{}</emulator>\n", TRY(Path("qemu", config.qemu_path)));
  xml += "    <controller type='pci' index='0' model='pcie-root'/>\n";
  for (int i = 0; i < kHotplugBridges; ++i)
    xml += fmt::format(
        "    <controller type='pci' index='{}' model='pcie-root-port'>\n"
        "      <address type='pci' bus='0x00' slot='0x{:02x}' function='0x0'/>\n"
        "    </controller>\n"
        "    <controller type='pci' index='{}' model='pcie-to-pci-bridge'>\n"
        "      <address type='pci' bus='0x{:02x}' slot='0x00' function='0x0'/>\n"
        "    </controller>\n",
        BridgeBus(i) - 1, i == 0 ? 1 : kFirstBridgeSlot + i - 1, BridgeBus(i), BridgeBus(i) - 1);
  xml += "    <controller type='usb' model='none'/>\n";
  xml += fmt::format(
      "    <controller type='virtio-serial' index='0'>\n      <driver{}/>\n"
      "      <address type='pci' bus='0x00' slot='0x02' function='0x0'/>\n    </controller>\n",
      Iommu(config));
  xml += fmt::format(
      "    <console type='file'>\n      <source path='{}'/>\n"
      "      <target type='virtio' port='0'/>\n    </console>\n",
      TRY(Path("state directory", ConsolePath(config))));
  if (config.transport == Transport::kVsock) {
    xml += fmt::format(
        "    <vsock model='virtio'>\n      <cid auto='yes'/>\n      <driver{}/>\n"
        "      <address type='pci' bus='0x00' slot='0x03' function='0x0'/>\n    </vsock>\n",
        Iommu(config));
  } else {
    xml += fmt::format(
        "    <channel type='unix'>\n      <source mode='bind' path='{}'/>\n"
        "      <target type='virtio' name='{}'/>\n    </channel>\n",
        TRY(Path("state directory", AgentSocketPath(config))), kAgentPort);
  }
  if (config.tee == Tee::kSim) {
    xml += fmt::format(
        "    <channel type='unix'>\n      <source mode='bind' path='{}'/>\n"
        "      <target type='virtio' name='{}'/>\n    </channel>\n",
        TRY(Path("state directory", SimSocketPath(config))), snp::sim::kPortName);
  }
  if (!config.initdata_image.empty()) {
    xml += fmt::format(
        "    <disk type='file' device='disk'>\n      <driver name='qemu' type='raw'{}/>\n"
        "      <source file='{}'/>\n      <target dev='vda' bus='virtio'/>\n      <readonly/>\n"
        "      <serial>initdata</serial>\n"
        "      <address type='pci' bus='0x00' slot='0x04' function='0x0'/>\n    </disk>\n",
        Iommu(config), TRY(Path("initdata image", config.initdata_image)));
  }
  xml += TRY(NicsXml(config));
  return xml + "    <memballoon model='none'/>\n    <audio id='1' type='none'/>\n  </devices>\n";
}

std::string LaunchSecurityXml(const VmConfig& config) {
  if (config.tee != Tee::kSnp) return "";
  std::string xml = fmt::format("  <launchSecurity type='sev-snp' kernelHashes='yes'{}>\n",
                                config.snp_author_key ? " authorKey='yes'" : "");
  xml += fmt::format("    <policy>0x{:08x}</policy>\n", config.snp_policy);
  if (!config.snp_id_block.empty())
    xml += fmt::format("    <idBlock>{}</idBlock>\n    <idAuth>{}</idAuth>\n", config.snp_id_block,
                       config.snp_id_auth);
  return xml + fmt::format("    <hostData>{}</hostData>\n  </launchSecurity>\n",
                           Base64(*config.host_data));
}

// Where the disk of a slot is, counted from 1: one bridge after the other.
std::string AddressOfSlot(int slot) {
  return fmt::format("<address type='pci' bus='0x{:02x}' slot='0x{:02x}' function='0x0'/>",
                     BridgeBus((slot - 1) / kBridgeSlots), 1 + (slot - 1) % kBridgeSlots);
}

// vdb, vdc, ... vdz, vdaa: vda is the initdata's.
std::string TargetOfSlot(int slot) {
  constexpr int kLetters = 26;
  const auto letter = [](int n) { return static_cast<char>('a' + n); };
  if (slot < kLetters) return std::string("vd") + letter(slot);
  return std::string("vd") + letter(slot / kLetters - 1) + letter(slot % kLetters);
}

}  // namespace

std::string AgentSocketPath(const VmConfig& config) {
  return config.state_dir + "/agent.sock";
}

std::string SimSocketPath(const VmConfig& config) {
  return config.state_dir + "/sim.sock";
}

std::string ConsolePath(const VmConfig& config) {
  return config.state_dir + "/console.log";
}

Result<std::string> DomainXml(const VmConfig& config, Accelerator accelerator,
                              const std::string& uuid) {
  TRY(Check(config, accelerator));
  const bool kvm = accelerator == Accelerator::kKvm;
  std::string xml = fmt::format("<domain type='{}' xmlns:qemu='{}'>\n", kvm ? "kvm" : "qemu",
                                "http://libvirt.org/schemas/domain/qemu/1.0");
  xml += fmt::format("  <name>{}</name>\n  <uuid>{}</uuid>\n", config.name, uuid);
  xml += fmt::format("  <memory unit='MiB'>{}</memory>\n", config.memory_mib);
  xml += fmt::format("  <vcpu placement='static'>{}</vcpu>\n", config.vcpus);
  xml += TRY(OsXml(config));
  // kernel_irqchip=split, as Kata starts SNP guests.
  xml += fmt::format("  <features>\n    <acpi/>\n    <apic/>\n{}  </features>\n",
                     config.tee == Tee::kSnp ? "    <ioapic driver='qemu'/>\n" : "");
  xml += CpuXml(config, accelerator);
  xml += "  <clock offset='utc'>\n    <timer name='hpet' present='no'/>\n  </clock>\n";
  // A guest that resets is lost: what it booted from is not the same machine state again.
  xml +=
      "  <on_poweroff>destroy</on_poweroff>\n  <on_reboot>destroy</on_reboot>\n"
      "  <on_crash>destroy</on_crash>\n";
  xml += TRY(DevicesXml(config));
  xml += LaunchSecurityXml(config);
  // Without it libvirt does not ask QEMU about each of some 450 CPU features, one by one, before it
  // lets the guest run, but about all at once. Nothing here is decided by what it hears.
  xml +=
      "  <qemu:capabilities>\n    <qemu:del capability='cpu-unavailable-features'/>\n"
      "  </qemu:capabilities>\n";
  return xml + "</domain>\n";
}

Result<std::string> DiskXml(const VmConfig& config, const VmDisk& disk, bool is_block, int slot) {
  const bool id_ok = !disk.id.empty() && disk.id.size() <= 20 &&
                     std::all_of(disk.id.begin(), disk.id.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                     });
  if (!id_ok) return Error(Code::kInvalidArgument, "vm: disk id: not [a-z0-9]{1,20}");
  const std::string path = TRY(Path("disk " + disk.id, disk.path));
  return fmt::format(
      "<disk type='{}' device='disk'>\n  <driver name='qemu' type='raw'{}/>\n"
      "  <source {}='{}'/>\n  <target dev='{}' bus='virtio'/>\n{}  <serial>{}</serial>\n"
      "  {}\n</disk>\n",
      is_block ? "block" : "file", Iommu(config), is_block ? "dev" : "file", path,
      TargetOfSlot(slot), disk.read_only ? "  <readonly/>\n" : "", disk.id, AddressOfSlot(slot));
}

}  // namespace kata_cc::shim
