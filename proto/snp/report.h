// SPDX-License-Identifier: Apache-2.0
// ATTESTATION_REPORT, versions 2 to 5 (SEV-SNP firmware ABI): 1184 bytes, of which the first 0x2a0
// are signed. A signature is checked over the bytes as they came, never over what Encode gives.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/guest_policy.h"
#include "proto/snp/tcb.h"

namespace kata_cc::snp {

inline constexpr std::size_t kReportSize = 1184;
inline constexpr std::size_t kSignedSize = 0x2a0;
inline constexpr std::size_t kScalarSize = 72;      // R and S, little endian, zero-padded.
inline constexpr std::size_t kSignatureSize = 512;  // R, S and bytes that must be zero.

template <std::size_t kSize>
using ByteArray = std::array<std::uint8_t, kSize>;

struct CpuId {
  std::uint8_t family = 0, model = 0, stepping = 0;
};

struct FirmwareVersion {
  std::uint8_t major = 0, minor = 0, build = 0;
};

struct Report {
  std::uint32_t version = 0;
  std::uint32_t guest_svn = 0;
  GuestPolicy policy;
  ByteArray<16> family_id{}, image_id{};
  std::uint32_t vmpl = 0;
  std::uint32_t signature_algorithm = 0;  // 1: ECDSA P-384 with SHA-384.
  PlatformInfo platform_info;
  KeyInfo key_info;
  ByteArray<64> report_data{};
  ByteArray<48> measurement{};
  ByteArray<32> host_data{};
  ByteArray<48> id_key_digest{}, author_key_digest{};
  ByteArray<32> report_id{}, report_id_ma{};
  Tcb current_tcb, reported_tcb, committed_tcb, launch_tcb;
  std::optional<CpuId> cpuid;  // From version 3 on.
  ByteArray<64> chip_id{};
  FirmwareVersion current_version, committed_version;
  std::optional<std::uint64_t> launch_mit_vector, current_mit_vector;  // From version 5 on.
  ByteArray<kScalarSize> signature_r{}, signature_s{};

  // kUnknown before version 3, too.
  Product product() const {
    return cpuid ? ProductOf(cpuid->family, cpuid->model) : Product::kUnknown;
  }
};

// kInvalidArgument unless there are exactly kReportSize bytes. Any version is parsed, and reserved
// bytes are ignored: what is acceptable is for verification to say.
Result<Report> ParseReport(ByteView bytes);

// The layout that its version has; reserved bytes are zero.
ByteArray<kReportSize> EncodeReport(const Report& report);

}  // namespace kata_cc::snp
