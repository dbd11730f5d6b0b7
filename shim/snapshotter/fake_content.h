// SPDX-License-Identifier: Apache-2.0
// For tests: a content store in memory, and images in it.
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/synced.h"
#include "proto/verity/geometry.h"
#include "shim/snapshotter/content.h"
#include "shim/snapshotter/layer_finder.h"

namespace kata_cc::snapshotter {

inline std::string Sha256Of(const std::string& data) {
  std::array<unsigned char, verity::kDigestSize> digest{};
  unsigned size = digest.size();
  EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return verity::ToHex(digest);
}

class FakeContent : public Content {
 public:
  std::string Put(const std::string& data, std::map<std::string, std::string> labels = {}) {
    const std::string digest = "sha256:" + Sha256Of(data);
    (*blobs_.Lock())[digest] = {data, std::move(labels)};
    return digest;
  }
  void Drop(const std::string& digest) { blobs_.Lock()->erase(digest); }

  // Puts manifest and configuration of an image of these layers, not the layers. Returns the chain
  // ids of its layers.
  std::vector<std::string> PutImage(const std::vector<std::string>& tars,
                                    const std::string& label = kConfigReference,
                                    const std::string& media_type = "application/tar") {
    nlohmann::json config;
    nlohmann::json manifest;
    std::vector<std::string> chain_ids;
    for (const std::string& tar : tars) {
      const std::string hex = Sha256Of(tar);
      config["rootfs"]["diff_ids"].push_back("sha256:" + hex);
      manifest["layers"].push_back({{"mediaType", media_type}, {"digest", "sha256:" + hex}});
      chain_ids.push_back(ChainId(chain_ids.empty() ? "" : chain_ids.back(), hex));
    }
    manifest["config"]["digest"] = Put(config.dump());
    Put(manifest.dump(), {{label, "x"}});
    return chain_ids;
  }

  Result<std::vector<Blob>> Manifests(const std::string&) override {
    if (down) return Down();
    std::vector<Blob> found;
    for (const auto& [digest, blob] : *blobs_.Lock())
      if (blob.labels.contains(kConfigReference) || blob.labels.contains(kSchema1Reference))
        found.push_back({digest, static_cast<std::int64_t>(blob.data.size()), blob.labels});
    return found;
  }
  Result<Blob> Stat(const std::string&, const std::string& digest) override {
    if (down) return Down();
    auto blobs = blobs_.Lock();
    const auto found = blobs->find(digest);
    if (found == blobs->end()) return Error(Code::kNotFound, digest);
    return Blob{digest, static_cast<std::int64_t>(found->second.data.size()), {}};
  }
  Result<void> Read(const std::string&, const std::string& digest,
                    const std::function<Result<void>(const verity::ReadBytes&)>& use) override {
    if (down) return Down();
    std::string data;
    {
      auto blobs = blobs_.Lock();
      const auto found = blobs->find(digest);
      if (found == blobs->end()) return Error(Code::kNotFound, digest);
      data = found->second.data;
    }
    ++reads;
    std::size_t at = 0;
    return use([&](std::span<std::byte> buffer) -> Result<std::size_t> {
      const std::size_t count = std::min(buffer.size(), data.size() - at);
      std::copy_n(reinterpret_cast<const std::byte*>(data.data()) + at, count, buffer.begin());
      at += count;
      return count;
    });
  }

  // Another content than the digest says, as after damage on the disk.
  void Corrupt(const std::string& digest, const std::string& data) {
    (*blobs_.Lock())[digest].data = data;
  }

  std::atomic<bool> down = false;
  std::atomic<int> reads = 0;

 private:
  struct Stored {
    std::string data;
    std::map<std::string, std::string> labels;
  };
  static Error Down() { return {Code::kUnavailable, "containerd is not there"}; }
  Synced<std::map<std::string, Stored>> blobs_;
};

}  // namespace kata_cc::snapshotter
