// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/hash_tree.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace kata_cc::verity {
namespace {

constexpr std::array<uint8_t, kSaltSize> kSalt{};
constexpr std::array<uint8_t, kBlockSize> kZeros{};
constexpr std::size_t kDigestsPerBlock = kBlockSize / kDigestSize;

std::span<const uint8_t> AsBytes(std::span<const Digest> digests) {
  return {digests.data()->data(), digests.size() * kDigestSize};
}

}  // namespace

BlockHasher::BlockHasher()
    : sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {}

Digest BlockHasher::Hash(std::span<const uint8_t> block) {
  Digest digest;
  const std::size_t rest = kBlockSize - std::min<std::size_t>(block.size(), kBlockSize);
  if (!sha256_ || !context_ || EVP_DigestInit_ex2(context_.get(), sha256_.get(), nullptr) != 1 ||
      EVP_DigestUpdate(context_.get(), kSalt.data(), kSalt.size()) != 1 ||
      EVP_DigestUpdate(context_.get(), block.data(), block.size()) != 1 ||
      EVP_DigestUpdate(context_.get(), kZeros.data(), rest) != 1 ||
      EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) != 1)
    std::abort();  // SHA-256 cannot fail but for memory; a wrong digest must not leave here.
  return digest;
}

Result<Digest> WriteHashTree(BlockHasher& hasher, const std::vector<Digest>& leaves,
                             const WriteBlocks& write) {
  if (leaves.size() < 2) return Error(Code::kInvalidArgument, "hash tree: less than two blocks");
  std::vector<std::vector<Digest>> levels = {};
  const auto below = [&]() -> const std::vector<Digest>& {
    return levels.empty() ? leaves : levels.back();
  };
  do {
    const std::span<const Digest> digests = below();
    std::vector<Digest> level;
    level.reserve(digests.size() / kDigestsPerBlock + 1);
    for (std::size_t at = 0; at < digests.size(); at += kDigestsPerBlock) {
      const std::size_t count = std::min(kDigestsPerBlock, digests.size() - at);
      level.push_back(hasher.Hash(AsBytes(digests.subspan(at, count))));
    }
    levels.push_back(std::move(level));
  } while (levels.back().size() > 1);

  // levels[i] are the digests of level i's blocks; the blocks of the top level come first.
  for (std::size_t i = levels.size(); i-- > 0;) {
    const std::vector<Digest>& digests = i == 0 ? leaves : levels[i - 1];
    TRY(write(AsBytes(digests)));
    const std::size_t padding = kBlockSize - digests.size() * kDigestSize % kBlockSize;
    if (padding != kBlockSize) TRY(write(std::span(kZeros).first(padding)));
  }
  return levels.back().front();
}

}  // namespace kata_cc::verity
