// SPDX-License-Identifier: Apache-2.0
// The dm-verity tree (hash type 1: the salt goes before the block) over blocks of 4096 bytes with
// SHA-256 and a salt of 32 zero bytes; on disk the level nearest to the root comes first, as
// linux/Documentation/admin-guide/device-mapper/verity.rst has it.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "proto/verity/geometry.h"

namespace kata_cc::verity {

// Hashes blocks one by one. Not for use from two threads at once.
class BlockHasher {
 public:
  BlockHasher();
  // block is at most kBlockSize long; what is missing counts as zero.
  Digest Hash(std::span<const uint8_t> block);

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
  };
  std::unique_ptr<EVP_MD, Free> sha256_;
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

using WriteBlocks = std::function<Result<void>(std::span<const uint8_t>)>;

// Writes the tree's blocks in their order on disk and returns the root hash. leaves holds the
// digest of each data block, at least two.
Result<Digest> WriteHashTree(BlockHasher& hasher, const std::vector<Digest>& leaves,
                             const WriteBlocks& write);

}  // namespace kata_cc::verity
