// SPDX-License-Identifier: Apache-2.0
// The VMSA: a vCPU's first register state, one measured page a vCPU. Layout: AMD APM volume 2,
// appendix B; values: what each VMM's KVM sets at reset.
#pragma once

#include <array>
#include <cstdint>

namespace kata_cc::measure {

inline constexpr std::size_t kPageSize = 4096;
using Page = std::array<std::uint8_t, kPageSize>;

enum class Vmm { kQemu, kEc2, kGce };

struct VmsaConfig {
  Vmm vmm = Vmm::kQemu;
  std::uint32_t eip = 0;
  std::uint64_t guest_features = 0;  // SEV_FEATURES: 0 for SEV-ES, bit 0 for SNP.
  std::uint32_t cpu_signature = 0;
};

inline constexpr std::uint32_t kBspEip = 0xfffffff0;

Page BuildVmsa(const VmsaConfig& config);

// A vCPU that begins in Coconut-SVSM: 32-bit flat protected mode. vmm is of no account.
Page BuildSvsmVmsa(const VmsaConfig& config);

}  // namespace kata_cc::measure
