// SPDX-License-Identifier: Apache-2.0
#include "shim/config/sizing.h"

#include <charconv>
#include <optional>
#include <string>

namespace kata_cc::shim {
namespace {

constexpr std::int64_t kMaxVcpus = 1024;
constexpr std::int64_t kMaxMemoryMib = std::int64_t{16} << 20;
constexpr std::int64_t kMib = std::int64_t{1} << 20;

struct Limits {
  std::int64_t cpu_quota = 0;  // Microseconds a period; none when not positive.
  std::int64_t cpu_period = 0;
  std::int64_t memory_bytes = 0;  // None when not positive.
};

Result<std::optional<std::int64_t>> ReadNumber(const grpc::Spec& spec, const char* key) {
  const auto found = spec.annotations().find(key);
  if (found == spec.annotations().end()) return std::optional<std::int64_t>();
  const std::string& text = found->second;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return Error(Code::kInvalidArgument, std::string(key) + ": not a number");
  return std::optional(number);
}

Result<Limits> ReadLimits(const grpc::Spec& spec) {
  const auto quota = TRY(ReadNumber(spec, "io.kubernetes.cri.sandbox-cpu-quota"));
  const auto period = TRY(ReadNumber(spec, "io.kubernetes.cri.sandbox-cpu-period"));
  const auto memory = TRY(ReadNumber(spec, "io.kubernetes.cri.sandbox-memory"));
  if (quota || period || memory)
    return Limits{quota.value_or(0), period.value_or(0), memory.value_or(0)};
  const grpc::LinuxResources& resources = spec.linux().resources();
  return Limits{resources.cpu().quota(), static_cast<std::int64_t>(resources.cpu().period()),
                resources.memory().limit()};
}

}  // namespace

Result<VmSize> SizeVm(const SizingPolicy& policy, const grpc::Spec& spec) {
  const Limits limits = TRY(ReadLimits(spec));
  std::int64_t vcpus = policy.default_vcpus;
  if (limits.cpu_quota > 0 && limits.cpu_period > 0)
    vcpus += limits.cpu_quota / limits.cpu_period + (limits.cpu_quota % limits.cpu_period != 0);
  std::int64_t memory_mib = policy.default_memory_mib;
  memory_mib += limits.memory_bytes > 0
                    ? limits.memory_bytes / kMib + (limits.memory_bytes % kMib != 0)
                    : policy.default_workload_memory_mib;
  memory_mib += memory_mib % 2;
  if (vcpus < 1) vcpus = 1;
  if (vcpus > kMaxVcpus)
    return Error(Code::kInvalidArgument, "size of the VM: more than 1024 vCPUs");
  if (memory_mib > kMaxMemoryMib)
    return Error(Code::kInvalidArgument, "size of the VM: more than 16 TiB of memory");
  return VmSize{static_cast<std::uint32_t>(vcpus), static_cast<std::uint32_t>(memory_mib)};
}

}  // namespace kata_cc::shim
