// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/guest_image.h"

#include "base/encoding.h"
#include "base/file.h"
#include "guest-image/measure/cpu.h"
#include "guest-image/measure/launch_digest.h"
#include "proto/oci/strict_json.h"
#include "shim/ctl/initrd.h"
#include "shim/vm/kernel_command_line.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxManifest = std::size_t{8} << 20;
constexpr std::size_t kMaxImageFile = std::size_t{512} << 20;
constexpr std::uint32_t kMaxVcpus = 240;
constexpr char kCpuModel[] = "EPYC-v4";

Error Bad(const std::string& why) {
  return {Code::kInvalidArgument, why};
}

std::string Sha256Hex(ByteView bytes) {
  return HexEncode(measure::Sha256({bytes}));
}

Result<std::string> Text(const json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || it == object.end() || !it->is_string()) {
    return Bad(std::string("manifest: ") + key + ": not a string");
  }
  return it->get<std::string>();
}

Result<std::string> Digest(const json& object) {
  const std::string text = TRY(Text(object, "sha256"));
  const Result<Bytes> bytes = HexDecode(text);
  if (!bytes || bytes->size() != 32) return Bad("manifest: sha256: not 64 hexadecimal digits");
  return text;
}

Result<const json*> Part(const json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_object()) {
    return Bad(std::string("manifest: ") + key + ": not an object");
  }
  return &*it;
}

Result<void> ReadFiles(const json& document, Manifest& manifest) {
  const auto files = document.find("files");
  if (files == document.end() || !files->is_array()) return Bad("manifest: files: not an array");
  for (const json& entry : *files) {
    const std::string path = TRY(Text(entry, "path"));
    ImageFile file;
    file.sha256 = TRY(Digest(entry));
    file.package = TRY(Text(entry, "package"));
    file.version = TRY(Text(entry, "version"));
    const auto size = entry.find("size");
    if (size == entry.end() || !size->is_number_unsigned()) return Bad("manifest: size: none");
    file.size = size->get<std::uint64_t>();
    if (!manifest.files.emplace(path, file).second) return Bad("manifest: " + path + ": twice");
  }
  return {};
}

void Compare(std::vector<std::string>& problems, const std::string& what, const std::string& want,
             const std::string& have) {
  if (want != have) {
    problems.push_back(what + ": SHA-256 is " + have + ", the manifest says " + want);
  }
}

void CompareFiles(std::vector<std::string>& problems, const Manifest& manifest,
                  const std::map<std::string, InitrdFile>& found) {
  for (const auto& [path, file] : manifest.files) {
    const auto it = found.find(path);
    if (it == found.end()) {
      problems.push_back(path + ": in the manifest, but not in the initrd");
      continue;
    }
    Compare(problems, path, file.sha256, it->second.sha256);
    if (file.size != it->second.size) problems.push_back(path + ": its size differs");
  }
  for (const auto& [path, file] : found) {
    if (!manifest.files.contains(path)) {
      problems.push_back(path + ": in the initrd, but not in the manifest");
    }
  }
}

Result<shim::Transport> ParseTransport(const std::string& name) {
  if (name == "vsock") return shim::Transport::kVsock;
  if (name == "virtio-serial") return shim::Transport::kVirtioSerial;
  return Bad("transport: " + name + ": neither vsock nor virtio-serial");
}

// The options that "launch" of a manifest was made with.
Result<LaunchOptions> OptionsOf(const json& launch, const std::string& firmware) {
  LaunchOptions options;
  options.firmware = firmware;
  options.kernel_params = TRY(Text(launch, "kernel_params"));
  options.transport = TRY(Text(launch, "transport"));
  const auto digests = launch.find("digests");
  const auto features = launch.find("guest_features");
  if (digests == launch.end() || !digests->is_object() || digests->empty() ||
      digests->size() > kMaxVcpus || features == launch.end() || !features->is_number_unsigned()) {
    return Bad("manifest: launch: malformed");
  }
  options.max_vcpus = static_cast<std::uint32_t>(digests->size());
  options.guest_features = features->get<std::uint64_t>();
  return options;
}

// "kernel" and such, of two manifests.
void DiffText(std::vector<std::string>& lines, const std::string& what, const std::string& before,
              const std::string& after) {
  if (before != after) lines.push_back(what + ": " + before + " -> " + after);
}

std::map<std::string, std::string> Packages(const Manifest& manifest) {
  std::map<std::string, std::string> packages;
  for (const auto& [path, file] : manifest.files)
    packages[file.package] = file.version;
  packages[manifest.kernel_package] = manifest.kernel_version;
  return packages;
}

}  // namespace

Result<Manifest> ReadManifest(const std::string& dir) {
  Manifest manifest;
  manifest.text = TRY(ReadFile(dir + "/manifest.json", kMaxManifest));
  const json document =
      TRY_CONTEXT(oci::ParseStrictJson(AsString(manifest.text)), dir + "/manifest.json");
  if (!document.is_object()) return Bad("manifest: not an object");
  TRY(ReadFiles(document, manifest));
  const json* const kernel = TRY(Part(document, "kernel"));
  manifest.kernel_sha256 = TRY(Digest(*kernel));
  manifest.kernel_package = TRY(Text(*kernel, "package"));
  manifest.kernel_version = TRY(Text(*kernel, "version"));
  const json* const initrd = TRY(Part(document, "initrd"));
  manifest.initrd_sha256 = TRY(Digest(*initrd));
  const json* const cmdline = TRY(Part(document, "cmdline"));
  manifest.cmdline_sha256 = TRY(Digest(*cmdline));
  if (document.contains("sbom")) {
    const json* const sbom = TRY(Part(document, "sbom"));
    manifest.sbom_sha256 = TRY(Digest(*sbom));
  }
  if (const auto debug = document.find("debug"); debug != document.end()) {
    if (!debug->is_boolean()) return Bad("manifest: debug: neither true nor false");
    manifest.debug = debug->get<bool>();
  }
  if (document.contains("launch")) manifest.launch = *TRY(Part(document, "launch"));
  return manifest;
}

Result<json> LaunchDigests(const std::string& dir, const LaunchOptions& options) {
  if (options.max_vcpus < 1 || options.max_vcpus > kMaxVcpus) return Bad("vCPUs: not 1..240");
  const Bytes firmware = TRY(ReadFile(options.firmware, kMaxImageFile));
  const Bytes kernel = TRY(ReadFile(dir + "/vmlinuz", kMaxImageFile));
  const Bytes initrd = TRY(ReadFile(dir + "/initrd.img", kMaxImageFile));
  shim::VmConfig vm;
  vm.tee = shim::Tee::kSnp;
  vm.transport = TRY(ParseTransport(options.transport));
  vm.kernel_command_line = options.kernel_params;
  const std::string line = TRY(shim::KernelCommandLine(vm, shim::Accelerator::kKvm));
  measure::LaunchInputs inputs;
  inputs.cpu_signature = TRY(measure::CpuSignature(kCpuModel));
  inputs.guest_features = options.guest_features;
  inputs.ovmf = firmware;
  inputs.kernel = measure::HashKernel(kernel, initrd, line);
  json digests = json::object();
  for (std::uint32_t vcpus = 1; vcpus <= options.max_vcpus; ++vcpus) {
    inputs.vcpus = vcpus;
    const Bytes digest = TRY(measure::LaunchDigest(inputs));
    digests[std::to_string(vcpus)] = HexEncode(digest);
  }
  return json{{"firmware", {{"sha256", Sha256Hex(firmware)}, {"size", firmware.size()}}},
              {"cpu", kCpuModel},
              {"guest_features", options.guest_features},
              {"transport", options.transport},
              {"kernel_params", options.kernel_params},
              {"kernel_command_line", line},
              {"digests", digests}};
}

Result<std::vector<std::string>> CheckImage(const std::string& dir, const Manifest& manifest,
                                            const std::string& firmware) {
  std::vector<std::string> problems;
  if (manifest.debug) {
    problems.emplace_back(
        "debug: the image has a root shell for whoever reaches it: not a release");
  }
  const Bytes kernel = TRY(ReadFile(dir + "/vmlinuz", kMaxImageFile));
  const Bytes initrd = TRY(ReadFile(dir + "/initrd.img", kMaxImageFile));
  const Bytes cmdline = TRY(ReadFile(dir + "/cmdline", 4096));
  Compare(problems, "vmlinuz", manifest.kernel_sha256, Sha256Hex(kernel));
  Compare(problems, "initrd.img", manifest.initrd_sha256, Sha256Hex(initrd));
  Compare(problems, "cmdline", manifest.cmdline_sha256, Sha256Hex(cmdline));
  if (!manifest.sbom_sha256.empty()) {
    const Bytes sbom = TRY(ReadFile(dir + "/sbom.spdx.json", kMaxManifest));
    Compare(problems, "sbom.spdx.json", manifest.sbom_sha256, Sha256Hex(sbom));
  }
  const Result<std::map<std::string, InitrdFile>> found = ReadInitrd(initrd);
  if (found) {
    CompareFiles(problems, manifest, *found);
  } else {
    problems.push_back(found.error().message());
  }
  if (firmware.empty()) return problems;
  if (manifest.launch.is_null()) {
    problems.emplace_back("launch: the manifest has no launch digests");
    return problems;
  }
  const LaunchOptions options = TRY(OptionsOf(manifest.launch, firmware));
  const json launch = TRY(LaunchDigests(dir, options));
  if (launch != manifest.launch) {
    const bool same_firmware = launch["firmware"] == manifest.launch.value("firmware", json());
    problems.emplace_back(same_firmware
                              ? "launch: the digests are not those of these files"
                              : "launch: the manifest's digests are for another firmware");
  }
  return problems;
}

std::vector<std::string> DiffManifests(const Manifest& before, const Manifest& after) {
  std::vector<std::string> lines;
  const auto old_packages = Packages(before);
  const auto new_packages = Packages(after);
  for (const auto& [name, version] : old_packages) {
    const auto it = new_packages.find(name);
    if (it == new_packages.end()) {
      lines.push_back("- package " + name + " " + version);
    } else {
      DiffText(lines, "~ package " + name, version, it->second);
    }
  }
  for (const auto& [name, version] : new_packages)
    if (!old_packages.contains(name)) lines.push_back("+ package " + name + " " + version);
  for (const auto& [path, file] : before.files) {
    const auto it = after.files.find(path);
    if (it == after.files.end()) {
      lines.push_back("- file " + path + " (" + std::to_string(file.size) + " bytes)");
    } else if (it->second.sha256 != file.sha256) {
      lines.push_back("~ file " + path + " (" + std::to_string(file.size) + " -> " +
                      std::to_string(it->second.size) + " bytes)");
    }
  }
  for (const auto& [path, file] : after.files) {
    if (!before.files.contains(path)) {
      lines.push_back("+ file " + path + " (" + std::to_string(file.size) + " bytes)");
    }
  }
  DiffText(lines, "~ kernel", before.kernel_sha256, after.kernel_sha256);
  DiffText(lines, "~ initrd", before.initrd_sha256, after.initrd_sha256);
  DiffText(lines, "~ cmdline", before.cmdline_sha256, after.cmdline_sha256);
  const auto part = [](const json& launch, const char* key) {
    return launch.is_object() && launch.contains(key) ? launch[key].dump() : std::string("none");
  };
  for (const char* key : {"firmware", "kernel_command_line", "cpu", "guest_features"})
    DiffText(lines, std::string("~ launch ") + key, part(before.launch, key),
             part(after.launch, key));
  if (part(before.launch, "digests") != part(after.launch, "digests")) {
    lines.emplace_back("~ launch digests");
  }
  return lines;
}

}  // namespace kata_cc::ctl
