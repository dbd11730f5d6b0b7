// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/id_block.h"

#include <algorithm>

namespace kata_cc::snp {
namespace {

enum : std::size_t {
  // ID block.
  kFamilyId = 48,
  kImageId = 64,
  kBlockVersion = 80,
  kGuestSvn = 84,
  kBlockPolicy = 88,
  // ID authentication information.
  kIdKeyAlgorithm = 0x000,
  kAuthorKeyAlgorithm = 0x004,
  kIdBlockSignature = 0x040,
  kIdKey = 0x240,
  kIdKeySignature = 0x680,
  kAuthorKey = 0x880,
};
constexpr std::size_t kPoint = 4 + 2 * kScalarSize;

template <std::size_t kSize>
void Get(ByteView bytes, std::size_t offset, ByteArray<kSize>& out) {
  const ByteView field = bytes.subspan(offset, kSize);
  std::copy(field.begin(), field.end(), out.begin());
}

template <std::size_t kSize>
void Put(std::span<std::uint8_t> bytes, std::size_t offset, const ByteArray<kSize>& field) {
  std::copy(field.begin(), field.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

bool IsZero(ByteView bytes, std::size_t begin, std::size_t end) {
  const ByteView range = bytes.subspan(begin, end - begin);
  return std::all_of(range.begin(), range.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

Result<IdBlock> ParseIdBlock(ByteView bytes) {
  if (bytes.size() != kIdBlockSize) return Error(Code::kInvalidArgument, "id block: not 96 bytes");
  IdBlock block;
  Get(bytes, 0, block.launch_digest);
  Get(bytes, kFamilyId, block.family_id);
  Get(bytes, kImageId, block.image_id);
  block.version = LoadLe<std::uint32_t>(bytes, kBlockVersion);
  block.guest_svn = LoadLe<std::uint32_t>(bytes, kGuestSvn);
  block.policy.bits = LoadLe<std::uint64_t>(bytes, kBlockPolicy);
  return block;
}

ByteArray<kIdBlockSize> EncodeIdBlock(const IdBlock& block) {
  ByteArray<kIdBlockSize> bytes{};
  Put(bytes, 0, block.launch_digest);
  Put(bytes, kFamilyId, block.family_id);
  Put(bytes, kImageId, block.image_id);
  StoreLe(bytes, kBlockVersion, block.version);
  StoreLe(bytes, kGuestSvn, block.guest_svn);
  StoreLe(bytes, kBlockPolicy, block.policy.bits);
  return bytes;
}

Result<IdAuth> ParseIdAuth(ByteView bytes) {
  if (bytes.size() != kIdAuthSize) return Error(Code::kInvalidArgument, "id auth: not 4096 bytes");
  IdAuth auth;
  auth.id_key_algorithm = LoadLe<std::uint32_t>(bytes, kIdKeyAlgorithm);
  auth.author_key_algorithm = LoadLe<std::uint32_t>(bytes, kAuthorKeyAlgorithm);
  Get(bytes, kIdBlockSignature, auth.id_block_signature);
  Get(bytes, kIdKey, auth.id_key);
  Get(bytes, kIdKeySignature, auth.id_key_signature);
  Get(bytes, kAuthorKey, auth.author_key);
  return auth;
}

ByteArray<kIdAuthSize> EncodeIdAuth(const IdAuth& auth) {
  ByteArray<kIdAuthSize> bytes{};
  StoreLe(bytes, kIdKeyAlgorithm, auth.id_key_algorithm);
  StoreLe(bytes, kAuthorKeyAlgorithm, auth.author_key_algorithm);
  Put(bytes, kIdBlockSignature, auth.id_block_signature);
  Put(bytes, kIdKey, auth.id_key);
  Put(bytes, kIdKeySignature, auth.id_key_signature);
  Put(bytes, kAuthorKey, auth.author_key);
  return bytes;
}

bool ReservedBytesAreZero(ByteView id_auth) {
  constexpr std::size_t kTail = 2 * kScalarSize;  // What of a signature has a meaning.
  return id_auth.size() == kIdAuthSize && IsZero(id_auth, 8, kIdBlockSignature) &&
         IsZero(id_auth, kIdBlockSignature + kTail, kIdKey) &&
         IsZero(id_auth, kIdKey + kPoint, kIdKeySignature) &&
         IsZero(id_auth, kIdKeySignature + kTail, kAuthorKey) &&
         IsZero(id_auth, kAuthorKey + kPoint, kIdAuthSize);
}

}  // namespace kata_cc::snp
