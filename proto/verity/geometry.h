// SPDX-License-Identifier: Apache-2.0
// The shape of a layer image: [file system][dm-verity tree][trailer block]. Block sizes, hash and
// salt are fixed, so the number of data blocks is the whole geometry. The root hash alone does not
// bind that number: whoever mounts takes it from what the policy approved, and then compares it
// with the file system's own superblock, which the root hash does cover (CheckSuperblock).
// No dependency beyond base/, for the agent. See docs/layers.md and docs/decisions/0041.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::verity {

inline constexpr uint32_t kBlockSize = 4096;  // Of data, of hashes and of the file system.
inline constexpr std::size_t kDigestSize = 32;
inline constexpr std::size_t kSaltSize = 32;  // All zero, as Kata's layers have it.
inline constexpr uint64_t kMaxDataBlocks = uint64_t{1} << 31;  // 8 TiB.
inline constexpr std::string_view kFileSystem = "erofs";       // mount(2)'s name of it.

// The storage options that carry a layer to the guest, in Kata's form: name or name=value.
// docs/layers.md has the whole form.
inline constexpr std::string_view kRootHashOption = "io.katacontainers.fs-opt.root-hash";
inline constexpr std::string_view kDataBlocksOption = "io.katacontainers.fs-opt.data-blocks";
inline constexpr std::string_view kIsLayerOption = "io.katacontainers.fs-opt.is-layer";
inline constexpr std::string_view kBlockDeviceOption = "io.katacontainers.fs-opt.block_device=file";
inline constexpr std::string_view kOverlayRwOption = "io.katacontainers.fs-opt.overlay-rw";
inline constexpr std::string_view kGuestLayersDir = "/run/kata-containers/sandbox/layers/";

using Digest = std::array<uint8_t, kDigestSize>;

struct Geometry {
  uint64_t data_blocks = 0;

  uint64_t HashStart() const { return data_blocks; }  // In blocks from the device's start.
  uint64_t HashBlocks() const;
  uint64_t TotalBlocks() const { return data_blocks + HashBlocks() + 1; }  // With the trailer.
  uint64_t TotalBytes() const { return TotalBlocks() * kBlockSize; }
  bool operator==(const Geometry&) const = default;
};

// Fails unless the tree has at least one level, the count is in bounds and the device is large
// enough. A virtual disk may be larger: what lies behind the trailer is never mapped.
Result<void> CheckGeometry(const Geometry& geometry, uint64_t device_bytes);

// The last block of an image. Nothing in it is authenticated: a host uses it to find its way in its
// own files, the guest never believes it. The last 512 bytes are those of Kata's tardev layers.
using Trailer = std::array<uint8_t, kBlockSize>;
Trailer EncodeTrailer(const Geometry& geometry, const Digest& root_hash);
struct TrailerFields {
  Geometry geometry;
  Digest root_hash;
};
Result<TrailerFields> ParseTrailer(std::span<const uint8_t> block);

// block is the first block of the file system as read through dm-verity: it must be the superblock
// of a file system that fills exactly the geometry's data blocks.
Result<void> CheckSuperblock(std::span<const uint8_t> block, const Geometry& geometry);

// 64 lower-case hexadecimal digits, and nothing else.
Result<Digest> ParseDigest(std::string_view hex);
std::string ToHex(std::span<const uint8_t> bytes);

}  // namespace kata_cc::verity
