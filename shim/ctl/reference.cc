// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/reference.h"

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/file.h"
#include "guest-image/measure/cpu.h"
#include "guest-image/measure/launch_digest.h"
#include "guest-image/measure/stand_in.h"
#include "proto/snp/id_block.h"
#include "proto/snp/verify/id_auth.h"
#include "shim/config/config.h"
#include "shim/config/sizing.h"
#include "shim/ctl/pod_yaml.h"
#include "shim/sandbox/launch_data.h"
#include "shim/vm/kernel_command_line.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFile = std::size_t{4} << 30;
constexpr std::size_t kMaxYaml = std::size_t{16} << 20;
constexpr char kCpuModel[] = "EPYC-v4";  // As the domain's (shim/vm/domain_xml.cc).

struct Image {
  std::string path;
  Bytes bytes;

  json ToJson() const { return {{"path", path}, {"sha256", HexEncode(measure::Sha256({bytes}))}}; }
};

Result<Image> ReadImage(const std::string& given, const std::string& configured) {
  const std::string& path = given.empty() ? configured : given;
  Bytes bytes = TRY(ReadFile(path, kMaxFile));
  return Image{path, std::move(bytes)};
}

struct Guest {
  shim::Config config;
  Image ovmf, kernel, initrd;
  std::string command_line;
  measure::KernelHashes hashes;
};

Result<Guest> ReadGuest(const ReferenceInputs& inputs) {
  Guest guest;
  guest.config = TRY(shim::ReadConfig(inputs.config));
  const shim::Config& config = guest.config;
  if (config.tee == shim::Tee::kNone) {
    return Error(Code::kFailedPrecondition, inputs.config + ": tee is \"none\": nothing measures");
  }
  if (config.tee == shim::Tee::kSim && config.firmware.empty() && inputs.ovmf.empty()) {
    guest.ovmf = {"the simulator's stand-in", measure::StandInFirmware()};
  } else {
    guest.ovmf = TRY_CONTEXT(ReadImage(inputs.ovmf, config.firmware), "firmware");
  }
  guest.kernel = TRY_CONTEXT(ReadImage(inputs.kernel, config.kernel), "kernel");
  guest.initrd = TRY_CONTEXT(ReadImage(inputs.initrd, config.initrd), "initrd");
  shim::VmConfig vm;
  vm.kernel_command_line = config.kernel_params;
  vm.transport = config.transport;
  vm.tee = config.tee;
  // The auditor's own machine says nothing about the node: only a configuration that asks for
  // emulation (of a simulated guest) has its command line.
  const bool emulated = config.accelerator == shim::Accelerator::kTcg;
  guest.command_line = TRY(
      shim::KernelCommandLine(vm, emulated ? shim::Accelerator::kTcg : shim::Accelerator::kKvm));
  guest.hashes = measure::HashKernel(guest.kernel.bytes, guest.initrd.bytes, guest.command_line);
  return guest;
}

// As the CRI tells the shim (io.kubernetes.cri.sandbox-cpu-*).
Result<std::uint32_t> Vcpus(const shim::Config& config, const Pod& pod) {
  grpc::Spec spec;
  auto& annotations = *spec.mutable_annotations();
  annotations["io.kubernetes.cri.sandbox-cpu-period"] = "100000";
  annotations["io.kubernetes.cri.sandbox-cpu-quota"] = std::to_string(pod.cpu_limit_milli * 100);
  return TRY(shim::SizeVm(config.sizing, spec)).vcpus;
}

// The id block's key digests, which a report holds too.
Result<void> AddIdKeys(const shim::Config& config, const Bytes& digest, json& out) {
  if (config.snp_id_block.empty()) return {};
  const Bytes block_bytes = TRY_CONTEXT(Base64Decode(config.snp_id_block), "snp_id_block");
  const Bytes auth_bytes = TRY_CONTEXT(Base64Decode(config.snp_id_auth), "snp_id_auth");
  const snp::IdBlock block = TRY(snp::ParseIdBlock(block_bytes));
  const snp::IdAuth auth = TRY(snp::ParseIdAuth(auth_bytes));
  if (!std::equal(digest.begin(), digest.end(), block.launch_digest.begin())) {
    return Error(Code::kFailedPrecondition,
                 "snp_id_block: it is for another launch digest: the firmware will refuse the pod");
  }
  out["id_key_digest"] = HexEncode(snp::KeyDigest(auth.id_key));
  if (auth.author_key_algorithm != 0) {
    out["author_key_digest"] = HexEncode(snp::KeyDigest(auth.author_key));
  }
  out["guest_svn"] = block.guest_svn;
  return {};
}

std::string Hex(std::uint64_t number) {
  Bytes bytes(8);
  for (std::size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(number >> (8 * (7 - i)));
  const std::string digits = HexEncode(bytes);
  const std::size_t first = digits.find_first_not_of('0');
  return "0x" + (first == std::string::npos ? "0" : digits.substr(first));
}

Result<json> OfPod(const Guest& guest, const Pod& pod, const ReferenceInputs& inputs) {
  shim::Annotations annotations;
  for (const auto& [key, value] : pod.annotations)
    annotations[key] = value;
  const shim::LaunchData launch = TRY(shim::ReadLaunchData(annotations));
  if (!launch.host_data) {
    return Error(Code::kFailedPrecondition,
                 std::string("no annotation ") + shim::kPolicyAnnotation + " or " +
                     shim::kInitdataAnnotation + ": nothing binds the guest to a policy");
  }
  measure::LaunchInputs launch_inputs;
  launch_inputs.vcpus = TRY(Vcpus(guest.config, pod));
  launch_inputs.cpu_signature = TRY(measure::CpuSignature(kCpuModel));
  launch_inputs.guest_features = inputs.guest_features;
  launch_inputs.ovmf = guest.ovmf.bytes;
  launch_inputs.kernel = guest.hashes;
  const Bytes digest = TRY(measure::LaunchDigest(launch_inputs));
  json out = {{"kind", pod.kind},
              {"name", pod.name},
              {"launch_digest", HexEncode(digest)},
              {"host_data", HexEncode(*launch.host_data)},
              {"host_data_of", launch.policy.empty() ? "initdata" : "policy"},
              {"guest_policy", Hex(guest.config.snp_guest_policy)},
              {"guest_features", Hex(inputs.guest_features)},
              {"simulated", guest.config.tee == shim::Tee::kSim},
              {"vcpus", launch_inputs.vcpus},
              {"vcpu_type", kCpuModel},
              {"firmware", guest.ovmf.ToJson()},
              {"kernel", guest.kernel.ToJson()},
              {"initrd", guest.initrd.ToJson()},
              {"kernel_command_line", guest.command_line}};
  TRY(AddIdKeys(guest.config, digest, out));
  return out;
}

}  // namespace

Result<json> ReferenceValues(const ReferenceInputs& inputs) {
  const Bytes yaml = TRY(ReadFile(inputs.pod, kMaxYaml));
  const std::vector<Pod> pods = TRY_CONTEXT(ReadPods(AsString(yaml)), inputs.pod);
  if (pods.empty()) return Error(Code::kInvalidArgument, inputs.pod + ": no pod in it");
  const Guest guest = TRY(ReadGuest(inputs));
  json all = json::array();
  for (const Pod& pod : pods) {
    all.push_back(
        TRY_CONTEXT(OfPod(guest, pod, inputs), inputs.pod + ": " + pod.kind + " " + pod.name));
  }
  return all.size() == 1 ? json(all[0]) : all;
}

}  // namespace kata_cc::ctl
