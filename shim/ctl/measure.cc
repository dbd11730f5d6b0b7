// SPDX-License-Identifier: Apache-2.0
// kata-ccctl measure: the launch digest that a genuine guest's report must hold, from the files
// that it is started with. Flags are those of sev-snp-measure; --pod is ours.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/encoding.h"
#include "base/file.h"
#include "guest-image/measure/cpu.h"
#include "guest-image/measure/launch_digest.h"
#include "shim/config/config.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/files.h"
#include "shim/ctl/reference.h"

namespace kata_cc::ctl {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{4} << 30;

struct MeasureFlags {
  std::string pod, config = shim::kDefaultConfigPath;
  std::string mode, vmm_type = "QEMU", ovmf, kernel, initrd, append, snp_ovmf_hash, svsm, vars_file;
  std::string guest_features = "0x1", output_format = "hex";
  std::string vcpu_type;
  std::optional<std::uint32_t> vcpus, vcpu_sig, vcpu_family, vcpu_model, vcpu_stepping;
  std::optional<std::uint64_t> vars_size;
  bool verbose = false;
  bool dump_vmsa = false;
};

Error Usage(const std::string& why) {
  return {Code::kInvalidArgument, why};
}

Result<MappedFile> Read(const std::string& path) {
  return MappedFile::Open(path, kMaxFileBytes);
}

Result<std::uint32_t> Signature(const MeasureFlags& flags) {
  if (flags.vcpu_sig) return *flags.vcpu_sig;
  if (flags.vcpu_family || flags.vcpu_model || flags.vcpu_stepping) {
    if (!flags.vcpu_family || !flags.vcpu_model || !flags.vcpu_stepping) {
      return Usage("--vcpu-family, --vcpu-model and --vcpu-stepping go together");
    }
    return measure::CpuSignature(*flags.vcpu_family, *flags.vcpu_model, *flags.vcpu_stepping);
  }
  if (!flags.vcpu_type.empty()) return measure::CpuSignature(flags.vcpu_type);
  return Usage("one of --vcpu-type, --vcpu-sig and --vcpu-family is required");
}

// As the peer's flag: hexadecimal, with or without 0x.
Result<std::uint64_t> Features(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
  if (text.empty() || text.size() > 16) return Usage("--guest-features: not a 64-bit hex number");
  std::uint64_t value = 0;
  const Bytes bytes =
      TRY_CONTEXT(HexDecode(std::string(text.size() % 2, '0').append(text)), "--guest-features");
  for (const std::uint8_t byte : bytes)
    value = value << 8 | byte;
  return value;
}

Result<std::optional<measure::KernelHashes>> ReadKernel(const MeasureFlags& flags) {
  if (flags.kernel.empty()) {
    if (!flags.initrd.empty() || !flags.append.empty()) {
      return Usage("--initrd and --append need --kernel");
    }
    return std::optional<measure::KernelHashes>();
  }
  const MappedFile kernel = TRY(Read(flags.kernel));
  if (flags.initrd.empty()) {
    return std::optional(measure::HashKernel(kernel.view(), {}, flags.append));
  }
  const MappedFile initrd = TRY(Read(flags.initrd));
  return std::optional(measure::HashKernel(kernel.view(), initrd.view(), flags.append));
}

Result<void> DumpVmsa(std::uint32_t vcpu, const measure::Page& page) {
  return WriteFile("vmsa" + std::to_string(vcpu) + ".bin", page);
}

const char* Label(measure::Mode mode) {
  switch (mode) {
    case measure::Mode::kSev:
      return "SEV";
    case measure::Mode::kSevEs:
      return "SEV-ES";
    case measure::Mode::kSnp:
    case measure::Mode::kSnpOvmfHash:
    case measure::Mode::kSnpSvsm:
      break;
  }
  return "SEV-SNP";
}

Result<void> RunPod(const MeasureFlags& flags) {
  if (!flags.mode.empty() || flags.vcpus || !flags.append.empty()) {
    return Usage("--pod: mode, vCPUs and command line are the configuration's and the pod's");
  }
  const std::uint64_t features = TRY(Features(flags.guest_features));
  const nlohmann::json values = TRY(ReferenceValues({.pod = flags.pod,
                                                     .config = flags.config,
                                                     .ovmf = flags.ovmf,
                                                     .kernel = flags.kernel,
                                                     .initrd = flags.initrd,
                                                     .guest_features = features}));
  std::printf("%s\n", values.dump(2).c_str());
  return {};
}

Result<void> Run(const MeasureFlags& flags) {
  if (!flags.pod.empty()) return RunPod(flags);
  if (flags.mode.empty()) return Usage("--mode is required");
  if (flags.ovmf.empty()) return Usage("--ovmf is required");
  measure::LaunchInputs inputs;
  inputs.mode = TRY(measure::ParseMode(flags.mode));
  inputs.vmm = TRY(measure::ParseVmm(flags.vmm_type));
  inputs.guest_features = TRY(Features(flags.guest_features));
  const bool has_vmsa =
      inputs.mode != measure::Mode::kSev && inputs.mode != measure::Mode::kSnpOvmfHash;
  if (has_vmsa && !flags.vcpus) return Usage("--vcpus is required in this mode");
  inputs.vcpus = flags.vcpus.value_or(1);
  if (has_vmsa && inputs.vmm == measure::Vmm::kQemu) inputs.cpu_signature = TRY(Signature(flags));
  const MappedFile ovmf = TRY(Read(flags.ovmf));
  inputs.ovmf = ovmf.view();
  inputs.kernel = TRY(ReadKernel(flags));
  if (!flags.snp_ovmf_hash.empty()) {
    if (inputs.mode != measure::Mode::kSnp) return Usage("--snp-ovmf-hash needs --mode snp");
    const Bytes hash = TRY_CONTEXT(HexDecode(flags.snp_ovmf_hash), "--snp-ovmf-hash");
    if (hash.size() != 48) return Usage("--snp-ovmf-hash: not 96 hex digits");
    std::copy(hash.begin(), hash.end(), inputs.ovmf_hash.emplace().begin());
  }
  std::optional<MappedFile> svsm;
  if (inputs.mode == measure::Mode::kSnpSvsm) {
    if (flags.svsm.empty()) return Usage("--svsm is required in this mode");
    if (!flags.vars_size && flags.vars_file.empty()) {
      return Usage("--vars-size or --vars-file is required in this mode");
    }
    svsm.emplace(TRY(Read(flags.svsm)));
    inputs.svsm = svsm->view();
    if (flags.vars_size) {
      inputs.vars_size = *flags.vars_size;
    } else {
      const MappedFile vars = TRY(Read(flags.vars_file));
      inputs.vars_size = vars.view().size();
    }
  }
  Result<void> dumped;
  measure::VmsaObserver observer;
  if (flags.dump_vmsa) {
    observer = [&](std::uint32_t vcpu, const measure::Page& page) {
      if (dumped) dumped = DumpVmsa(vcpu, page);
    };
  }
  const Bytes digest = TRY(measure::LaunchDigest(inputs, observer));
  TRY(std::move(dumped));
  const std::string text =
      flags.output_format == "base64" ? Base64Encode(digest) : HexEncode(digest);
  if (flags.verbose) std::printf("Calculated %s guest measurement: ", Label(inputs.mode));
  std::printf("%s\n", text.c_str());
  return {};
}

}  // namespace

void AddMeasureCommands(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<MeasureFlags>();
  CLI::App* command = app.add_subcommand("measure", "Print the expected launch digest of a guest");
  command->add_option("--pod", flags->pod,
                      "Kubernetes YAML: print what a report of each pod's guest must contain, as "
                      "JSON; --ovmf, --kernel, --initrd take the place of the configuration's");
  command->add_option("--config", flags->config, "With --pod: the runtime's configuration")
      ->capture_default_str();
  command->add_flag("-v,--verbose", flags->verbose, "Say what the digest is of");
  command->add_option("--mode", flags->mode, "sev, seves, snp, snp:ovmf-hash or snp:svsm");
  command->add_option("--vcpus", flags->vcpus, "Number of vCPUs at launch");
  command->add_option("--vcpu-type", flags->vcpu_type, "QEMU CPU model, as EPYC-v4");
  command->add_option("--vcpu-sig", flags->vcpu_sig, "CPUID signature");
  command->add_option("--vcpu-family", flags->vcpu_family, "CPU family");
  command->add_option("--vcpu-model", flags->vcpu_model, "CPU model number");
  command->add_option("--vcpu-stepping", flags->vcpu_stepping, "CPU stepping");
  command->add_option("--vmm-type", flags->vmm_type, "QEMU, ec2 or gce")->capture_default_str();
  command->add_option("--ovmf", flags->ovmf, "Firmware image");
  command->add_option("--kernel", flags->kernel, "Kernel that the VMM boots directly");
  command->add_option("--initrd", flags->initrd, "Its initrd");
  command->add_option("--append", flags->append, "Its command line");
  command->add_option("--guest-features", flags->guest_features, "SEV_FEATURES, hexadecimal")
      ->capture_default_str();
  command->add_option("--output-format", flags->output_format, "hex or base64")
      ->check(CLI::IsMember({"hex", "base64"}))
      ->capture_default_str();
  command->add_option("--snp-ovmf-hash", flags->snp_ovmf_hash,
                      "Digest of the firmware's pages (from snp:ovmf-hash), in place of its bytes");
  command->add_flag("--dump-vmsa", flags->dump_vmsa, "Write each VMSA page to vmsa<N>.bin");
  command->add_option("--svsm", flags->svsm, "SVSM image");
  CLI::Option* vars_size =
      command->add_option("--vars-size", flags->vars_size, "Size of OVMF_VARS in bytes");
  command->add_option("--vars-file", flags->vars_file, "OVMF_VARS")->excludes(vars_size);
  command->callback([flags, &exit_code] {
    const Result<void> done = Run(*flags);
    if (done) return;
    std::fprintf(stderr, "kata-ccctl measure: %s\n", done.error().message().c_str());
    exit_code = kExitUsage;
  });
}

}  // namespace kata_cc::ctl
