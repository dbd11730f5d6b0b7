// SPDX-License-Identifier: Apache-2.0
// ID block and ID authentication information: with them the firmware starts a guest only if its
// measurement is the signed one, and reports who signed (SEV-SNP firmware ABI, SNP_LAUNCH_FINISH).
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/guest_policy.h"
#include "proto/snp/report.h"

namespace kata_cc::snp {

inline constexpr std::size_t kIdBlockSize = 96;
inline constexpr std::size_t kIdAuthSize = 4096;
inline constexpr std::size_t kKeySize = 1028;  // A public key: curve, Qx, Qy, zeros.
inline constexpr std::uint32_t kCurveP384 = 2;
inline constexpr std::uint32_t kAlgorithmP384 = 1;

struct IdBlock {
  ByteArray<48> launch_digest{};
  ByteArray<16> family_id{}, image_id{};
  std::uint32_t version = 1;
  std::uint32_t guest_svn = 0;
  GuestPolicy policy;  // Must be that of the launch.
};

struct IdAuth {
  std::uint32_t id_key_algorithm = kAlgorithmP384;
  std::uint32_t author_key_algorithm = 0;  // 0: no author key.
  ByteArray<kSignatureSize> id_block_signature{};
  ByteArray<kKeySize> id_key{};
  ByteArray<kSignatureSize> id_key_signature{};  // By the author key, over id_key.
  ByteArray<kKeySize> author_key{};
};

// kInvalidArgument for a wrong size; contents are for verification to judge.
Result<IdBlock> ParseIdBlock(ByteView bytes);
Result<IdAuth> ParseIdAuth(ByteView bytes);
ByteArray<kIdBlockSize> EncodeIdBlock(const IdBlock& block);
ByteArray<kIdAuthSize> EncodeIdAuth(const IdAuth& auth);

// Whether every byte of the page that has no meaning is zero.
bool ReservedBytesAreZero(ByteView id_auth);

}  // namespace kata_cc::snp
