// SPDX-License-Identifier: Apache-2.0
// DataStore: the image file while it grows. File data is written and hashed as it arrives; Arrange
// then moves it into the image's own order if it came in another. Block 0 is the superblock's.
// Without an image file only the hashes are kept, which is all that a root hash needs.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/verity/hash_tree.h"
#include "proto/verity/layer_tree.h"

namespace kata_cc::verity {

// A new empty file for the image, or an invalid descriptor when only hashes are wanted.
using MakeFile = std::function<Result<UniqueFd>()>;

class DataStore {
 public:
  // tails is an empty file for the ends of files that are shorter than a block.
  DataStore(MakeFile make_file, UniqueFd tails);

  Result<void> Open();

  // The data of one file: Begin, Append in ascending offsets with gaps as zeros, Finish. Chunks
  // of zeros of a file larger than kMinChunkBytes take no space.
  void Begin(Node& file);
  Result<void> Append(uint64_t offset, std::span<const uint8_t> data);
  Result<void> Finish();

  // Makes the data of files contiguous in the given order from block 1, and drops all other.
  // Sets tail_as_block data into its block.
  Result<void> Arrange(const std::vector<Node*>& files);

  // After Arrange. The tail of a file that has one.
  Result<std::vector<uint8_t>> Tail(const FileData& data) const;
  uint64_t next_block() const { return leaves_.size(); }
  Result<void> AppendBlocks(std::span<const uint8_t> data);  // Pads the last block with zeros.
  Result<void> SetFirstBlock(std::span<const uint8_t> block);

  // Ends the image with tree and trailer. Returns the root hash and the file, fully written.
  struct Sealed {
    Digest root_hash;
    Geometry geometry;
    UniqueFd file;
  };
  Result<Sealed> Seal();

  static constexpr uint64_t kMinChunkBytes = 64 * 1024;
  static constexpr uint64_t kMaxTailBytes = 2048;  // Longer ones take a block of their own.

 private:
  Result<void> EndChunk();
  Result<void> Emit(std::span<const uint8_t> data);
  Result<void> Write(std::span<const uint8_t> data);
  Result<void> Flush();
  Result<void> CopyBlocks(const UniqueFd& from, const std::vector<Digest>& leaves, FileData& data);

  MakeFile make_file_;
  UniqueFd tails_;
  UniqueFd file_;
  BlockHasher hasher_;
  std::vector<Digest> leaves_;
  std::vector<uint8_t> pending_;  // Written, not yet in file_.
  uint64_t written_ = 0;          // Bytes in file_ before pending_.
  uint64_t tails_end_ = 0;

  Node* node_ = nullptr;  // The file under way.
  uint64_t position_ = 0;
  uint64_t chunk_bytes_ = 0;
  std::vector<uint8_t> chunk_;
};

// Writes all of data at offset.
Result<void> WriteAt(const UniqueFd& file, std::span<const uint8_t> data, uint64_t offset);
// Fills to from offset, or fails.
Result<void> ReadAt(const UniqueFd& file, std::span<uint8_t> to, uint64_t offset);

}  // namespace kata_cc::verity
