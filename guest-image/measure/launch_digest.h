// SPDX-License-Identifier: Apache-2.0
// The launch measurement that a genuine AMD secure processor reports for a guest: SEV-SNP firmware
// ABI, "page info" and SNP_LAUNCH_UPDATE; for SEV and SEV-ES, LAUNCH_UPDATE_DATA and _VMSA.
// Pure computation on bytes that the caller has read; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "guest-image/measure/sev_hashes.h"
#include "guest-image/measure/vmsa.h"

namespace kata_cc::measure {

enum class Mode { kSev, kSevEs, kSnp, kSnpOvmfHash, kSnpSvsm };

Result<Mode> ParseMode(std::string_view name);  // "snp:ovmf-hash"
Result<Vmm> ParseVmm(std::string_view name);    // "QEMU", "ec2", "gce"

struct LaunchInputs {
  Mode mode = Mode::kSnp;
  Vmm vmm = Vmm::kQemu;
  std::uint32_t vcpus = 1;           // At launch; those plugged in later do not count.
  std::uint32_t cpu_signature = 0;   // Counts for QEMU alone.
  std::uint64_t guest_features = 1;  // SNP only.
  ByteView ovmf;
  std::optional<KernelHashes> kernel;     // Set when the VMM boots the kernel directly.
  std::optional<Sha384Digest> ovmf_hash;  // SNP: takes the place of measuring ovmf's pages.
  ByteView svsm;                          // kSnpSvsm only, as the next.
  std::uint64_t vars_size = 0;
};

// 48 bytes for the SNP modes, 32 for SEV and SEV-ES.
// on_vmsa, if given, sees each VMSA page in order; vcpu 0 is the BSP.
using VmsaObserver = std::function<void(std::uint32_t vcpu, const Page& page)>;
Result<Bytes> LaunchDigest(const LaunchInputs& inputs, const VmsaObserver& on_vmsa = {});

}  // namespace kata_cc::measure
