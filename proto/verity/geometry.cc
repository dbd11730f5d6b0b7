// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/geometry.h"

#include <algorithm>

#include "proto/verity/bytes.h"

namespace kata_cc::verity {
namespace {

constexpr std::string_view kMagic = "kata-cc layer 1\n";
constexpr uint64_t kDigestsPerBlock = kBlockSize / kDigestSize;
constexpr std::size_t kRootHashAt = 16;
constexpr std::size_t kKataFieldsAt = kBlockSize - 512;  // Two block sizes and the count.
constexpr std::size_t kSuperblockAt = 1024;
constexpr uint32_t kErofsMagic = 0xE0F5E1E2;
constexpr std::size_t kErofsBlockBitsAt = kSuperblockAt + 12;
constexpr std::size_t kErofsBlocksAt = kSuperblockAt + 36;

Error Invalid(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

}  // namespace

uint64_t Geometry::HashBlocks() const {
  uint64_t total = 0;
  for (uint64_t level = data_blocks; level > 1;) {
    level = (level + kDigestsPerBlock - 1) / kDigestsPerBlock;
    total += level;
  }
  return total;
}

Result<void> CheckGeometry(const Geometry& geometry, uint64_t device_bytes) {
  if (geometry.data_blocks < 2 || geometry.data_blocks > kMaxDataBlocks)
    return Invalid("layer: data blocks out of bounds: " + std::to_string(geometry.data_blocks));
  const uint64_t needed = geometry.TotalBytes() - kBlockSize;  // The trailer is not needed.
  if (device_bytes < needed)
    return Invalid("layer: device of " + std::to_string(device_bytes) + " bytes is shorter than " +
                   std::to_string(needed));
  return {};
}

Trailer EncodeTrailer(const Geometry& geometry, const Digest& root_hash) {
  Trailer block{};
  std::copy(kMagic.begin(), kMagic.end(), block.begin());
  std::copy(root_hash.begin(), root_hash.end(), block.begin() + kRootHashAt);
  PutLe32(block, kKataFieldsAt, kBlockSize);
  PutLe32(block, kKataFieldsAt + 4, kBlockSize);
  PutLe64(block, kKataFieldsAt + 8, geometry.data_blocks);
  return block;
}

Result<TrailerFields> ParseTrailer(std::span<const uint8_t> block) {
  if (block.size() != kBlockSize) return Invalid("layer trailer: not one block");
  if (!std::equal(kMagic.begin(), kMagic.end(), block.begin()))
    return Invalid("layer trailer: no kata-cc layer image");
  if (GetLe32(block, kKataFieldsAt) != kBlockSize ||
      GetLe32(block, kKataFieldsAt + 4) != kBlockSize)
    return Invalid("layer trailer: block size is not 4096");
  TrailerFields fields;
  fields.geometry.data_blocks = GetLe64(block, kKataFieldsAt + 8);
  if (fields.geometry.data_blocks < 2 || fields.geometry.data_blocks > kMaxDataBlocks)
    return Invalid("layer trailer: data blocks out of bounds");
  std::copy_n(block.begin() + kRootHashAt, kDigestSize, fields.root_hash.begin());
  if (!std::ranges::equal(EncodeTrailer(fields.geometry, fields.root_hash), block))
    return Invalid("layer trailer: bytes that have no meaning are not zero");
  return fields;
}

Result<void> CheckSuperblock(std::span<const uint8_t> block, const Geometry& geometry) {
  if (block.size() != kBlockSize) return Invalid("layer superblock: not one block");
  if (GetLe32(block, kSuperblockAt) != kErofsMagic || block[kErofsBlockBitsAt] != 12)
    return Invalid("layer superblock: no EROFS with blocks of 4096");
  const uint64_t blocks = GetLe32(block, kErofsBlocksAt);
  if (blocks != geometry.data_blocks)
    return Invalid("layer superblock: file system of " + std::to_string(blocks) +
                   " blocks, geometry says " + std::to_string(geometry.data_blocks));
  return {};
}

Result<Digest> ParseDigest(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (hex.size() != 2 * kDigestSize) return Invalid("digest: not 64 hexadecimal digits");
  Digest digest;
  for (std::size_t i = 0; i < kDigestSize; ++i) {
    const auto high = kDigits.find(hex[2 * i]);
    const auto low = kDigits.find(hex[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos)
      return Invalid("digest: not 64 hexadecimal digits");
    digest[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return digest;
}

std::string ToHex(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace kata_cc::verity
