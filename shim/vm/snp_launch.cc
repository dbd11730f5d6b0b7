// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/snp_launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <sstream>

#include "base/file.h"
#include "base/process.h"
#include "base/retry.h"
#include "base/unique_fd.h"
#include "guest-image/measure/ovmf.h"

namespace kata_cc::shim {
namespace {

constexpr std::size_t kMaxFirmware = std::size_t{64} << 20;
constexpr std::size_t kMaxProcFile = std::size_t{16} << 20;  // One block of text a CPU.
constexpr std::size_t kPageSize = 4096;
constexpr unsigned long kMinQemu = 9'001'000;      // sev-snp-guest.
constexpr unsigned long kMinLibvirt = 10'005'000;  // launchSecurity type='sev-snp'.

std::string Dotted(unsigned long version) {
  return std::to_string(version / 1'000'000) + "." + std::to_string(version / 1'000 % 1'000) + "." +
         std::to_string(version % 1'000);
}

SnpRequirement Met(std::string name, std::string detail) {
  return {std::move(name), std::move(detail), true};
}
SnpRequirement Missing(std::string name, std::string detail) {
  return {std::move(name), std::move(detail), false};
}

SnpRequirement CpuFlag(const std::string& root) {
  const Result<Bytes> file = ReadFile(root + "/proc/cpuinfo", kMaxProcFile);
  std::istringstream lines(file ? AsString(*file) : std::string());
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (word == "sev_snp") return Met("cpu flag", "sev_snp");
    break;  // All CPUs have the first one's flags.
  }
  return Missing("cpu flag",
                 "no sev_snp: needs an AMD EPYC 7003 or later, with SNP enabled in its BIOS");
}

SnpRequirement KernelParameter(const std::string& root) {
  const char* const path = "/sys/module/kvm_amd/parameters/sev_snp";
  const Result<Bytes> file = ReadFile(root + path, 64);
  if (!file) {
    return Missing("kernel parameter",
                   std::string(path) + ": not there: needs kvm_amd of Linux 6.11 or later");
  }
  const std::string value = AsString(*file);
  if (value.starts_with('Y') || value.starts_with('1')) return Met("kernel parameter", path);
  return Missing("kernel parameter", std::string(path) + ": not Y: kvm_amd has not enabled SNP");
}

SnpRequirement Device(const std::string& root, const char* path, const char* what) {
  const std::string full = root + path;
  if (::access(full.c_str(), R_OK | W_OK) == 0) return Met(path, what);
  return Missing(path, std::string(std::strerror(errno)) + ": " + what);
}

SnpRequirement File(const std::string& root, const char* name, const std::string& path) {
  if (path.empty()) return Missing(name, "none is configured");
  const std::string full = root + path;
  if (::access(full.c_str(), R_OK) == 0) return Met(name, path);
  return Missing(name, path + ": " + std::strerror(errno));
}

SnpRequirement Firmware(const SnpHost& host) {
  if (host.firmware.empty()) return Missing("firmware", "none is configured");
  const Result<void> usable = CheckSnpFirmware(host.root + host.firmware);
  return usable ? Met("firmware", host.firmware) : Missing("firmware", usable.error().message());
}

// "QEMU emulator version 10.0.3 (Debian ...)". 0: no version.
unsigned long ParseVersion(const std::string& text) {
  const std::string_view before = "version ";
  const std::size_t at = text.find(before);
  if (at == std::string::npos) return 0;
  unsigned long version = 0;
  const char* next = text.data() + at + before.size();
  const char* const end = text.data() + text.size();
  for (const unsigned long unit : {1'000'000UL, 1'000UL, 1UL}) {
    unsigned part = 0;
    const auto [stop, error] = std::from_chars(next, end, part);
    if (error != std::errc() || part > 999) return 0;
    version += part * unit;
    next = stop != end && *stop == '.' ? stop + 1 : end;
    if (next == end) break;
  }
  return version;
}

Result<std::string> OutputOf(const std::vector<std::string>& argv) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return ErrnoError(errno, "pipe2");
  const UniqueFd reader(fds[0]);
  UniqueFd writer(fds[1]);
  ChildProcess child = TRY(ChildProcess::Spawn(argv, {.stdout_fd = writer.get()}));
  writer.Reset();
  std::string output;
  char buffer[512];
  while (output.size() < 4096) {
    const ssize_t n = RetryOnEintr([&] { return ::read(reader.get(), buffer, sizeof buffer); });
    if (n <= 0) break;
    output.append(buffer, static_cast<std::size_t>(n));
  }
  const int status = TRY(child.Wait());
  if (status != 0) {
    return Error(Code::kUnavailable, argv[0] + ": exit status " + std::to_string(status));
  }
  return output;
}

SnpRequirement Qemu(const SnpHost& host) {
  const std::string path = host.root + host.qemu_path;
  if (::access(path.c_str(), X_OK) != 0) {
    return Missing("qemu", host.qemu_path + ": " + std::strerror(errno));
  }
  const Result<std::string> output = OutputOf({path, "--version"});
  const unsigned long version = output ? ParseVersion(*output) : 0;
  if (version == 0) return Missing("qemu", host.qemu_path + ": does not say its version");
  if (version < kMinQemu) {
    return Missing("qemu", Dotted(version) + ": too old: needs " + Dotted(kMinQemu) + " or later");
  }
  return Met("qemu", Dotted(version));
}

// libvirt.so.0.11003.0 is of libvirt 11.3.0.
std::optional<unsigned long> LibvirtLibrary(const std::string& root) {
  constexpr std::string_view kName = "libvirt.so.0.";
  for (const char* dir : {"/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"}) {
    const std::string path = root + dir;
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(path.c_str()), ::closedir);
    if (entries == nullptr) continue;
    while (const dirent* entry = ::readdir(entries.get())) {
      const std::string_view name = entry->d_name;
      if (!name.starts_with(kName)) continue;
      const std::string_view number = name.substr(kName.size());
      unsigned long release = 0;
      const auto [stop, error] =
          std::from_chars(number.data(), number.data() + number.size(), release);
      if (error == std::errc() && stop != number.data() + number.size() && *stop == '.') {
        return release * 1'000;
      }
    }
  }
  return std::nullopt;
}

SnpRequirement Libvirt(const SnpHost& host) {
  const std::optional<unsigned long> version =
      host.libvirt_version ? host.libvirt_version : LibvirtLibrary(host.root);
  if (!version) return Missing("libvirt", "libvirt.so.0: not installed");
  if (*version < kMinLibvirt) {
    return Missing("libvirt",
                   Dotted(*version) + ": too old: needs " + Dotted(kMinLibvirt) + " or later");
  }
  return Met("libvirt", Dotted(*version));
}

}  // namespace

Result<void> CheckSnpFirmware(const std::string& path) {
  using measure::SectionType;
  const Bytes image = TRY(ReadFile(path, kMaxFirmware));
  const auto bad = [&](const std::string& why) {
    return Error(Code::kFailedPrecondition, path + ": " + why);
  };
  const measure::Ovmf ovmf = TRY_CONTEXT(measure::Ovmf::Parse(image), path);
  if (image.size() % kPageSize != 0) return bad("not a multiple of 4096 bytes");
  if (ovmf.sections().empty()) return bad("has no SEV metadata: not an OVMF that starts under SNP");
  const std::pair<SectionType, const char*> wanted[] = {
      {SectionType::kSecrets, "secrets"},
      {SectionType::kCpuid, "CPUID"},
      {SectionType::kKernelHashes, "kernel hashes: needs the AmdSev build of OVMF"}};
  for (const auto& [type, name] : wanted)
    if (!ovmf.HasSection(type)) return bad(std::string("its SEV metadata has no ") + name);
  const Result<std::uint32_t> table = ovmf.HashTableGpa();
  if (!table || *table == 0) return bad("has no place for kernel hashes");
  if (!ovmf.ResetEip()) return bad("has no reset vector for further vCPUs");
  return {};
}

std::vector<SnpRequirement> CheckSnpHost(const SnpHost& host) {
  std::vector<SnpRequirement> all = {
      CpuFlag(host.root),
      KernelParameter(host.root),
      Device(host.root, "/dev/kvm", "KVM"),
      Device(host.root, "/dev/sev", "the secure processor (module ccp)"),
  };
  if (host.vsock) all.push_back(Device(host.root, "/dev/vhost-vsock", "module vhost_vsock"));
  all.push_back(Firmware(host));
  all.push_back(File(host.root, "kernel", host.kernel));
  all.push_back(File(host.root, "initrd", host.initrd));
  all.push_back(Qemu(host));
  all.push_back(Libvirt(host));
  return all;
}

Result<void> RequireSnpHost(const SnpHost& host) {
  std::string missing;
  for (const SnpRequirement& requirement : CheckSnpHost(host)) {
    if (requirement.met) continue;
    missing += (missing.empty() ? "" : "; ") + requirement.name + ": " + requirement.detail;
  }
  if (missing.empty()) return {};
  return Error(
      Code::kFailedPrecondition,
      "vm: this host cannot launch SEV-SNP guests, and tee = \"snp\" takes no other: " + missing);
}

}  // namespace kata_cc::shim
