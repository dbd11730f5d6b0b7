// SPDX-License-Identifier: Apache-2.0
// LayerFinder: which blob of containerd's content store is the layer with a given chain id.
// containerd names a snapshot by chain id alone, on every path (pull, import, CRI, late unpacking),
// and the image's manifest and configuration are in its store before it prepares the first
// snapshot; so they are what is looked through. Thread-safe.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/synced.h"
#include "shim/snapshotter/content.h"

namespace kata_cc::snapshotter {

struct FoundLayer {
  std::string diff_id;             // In hex.
  std::vector<std::string> blobs;  // Digests; each holds that layer, compressed in some way.
};

class LayerFinder {
 public:
  explicit LayerFinder(Content& content) : content_(content) {}

  // NotFound when no image in the namespace has the layer; FailedPrecondition when only images do
  // that were converted from Docker schema 1, or whose layer is encrypted; Unavailable without
  // containerd. A manifest that cannot be read is passed over. What is known already is answered
  // from memory unless refresh is asked for.
  Result<FoundLayer> Find(const std::string& content_namespace, const std::string& chain_id,
                          bool refresh = false);

 private:
  struct Known {
    std::string diff_id;
    std::set<std::string> blobs;
    std::string refusal;  // Why blobs is empty.
  };
  struct Table {
    std::set<std::pair<std::string, std::string>> manifests;      // Namespace and digest.
    std::map<std::pair<std::string, std::string>, Known> layers;  // Namespace and chain id.
  };

  Result<void> Learn(const std::string& content_namespace, const Blob& manifest);
  Result<FoundLayer> Look(const std::string& content_namespace, const std::string& chain_id);

  Content& content_;
  Synced<Table> table_;
};

// "sha256:" + hex of the layer with diff_id on top of parent_chain (empty: it is the base).
std::string ChainId(const std::string& parent_chain, const std::string& diff_id);

// The chain id in a key of containerd's, "NAMESPACE/NUMBER/extract-UNIQUE CHAIN_ID"; empty: another
// kind of key. Not all of its callers send the label containerd.io/snapshot.ref.
std::string ChainIdOfKey(const std::string& key);

}  // namespace kata_cc::snapshotter
