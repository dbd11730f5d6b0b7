// SPDX-License-Identifier: Apache-2.0
// LayerStore: the layer images on disk, ROOT/layers/DIFF_ID.img, each shared by all snapshots of
// that layer. An image is there whole or not at all. Thread-safe.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "proto/verity/tar_stream.h"
#include "shim/rootfs/layer_list.h"

namespace kata_cc::snapshotter {

class LayerStore {
 public:
  // Removes what a crash has left half-done.
  static Result<LayerStore> Open(const std::string& root);
  LayerStore(LayerStore&& other) noexcept : directory_(std::move(other.directory_)) {}

  // The image as its trailer describes it; a file that does not fit its trailer is removed.
  std::optional<shim::LayerFile> Find(const std::string& diff_id);

  // Blocking, for as long as the layer is read; uses two threads. DataLoss when the tar has another
  // diff id.
  Result<shim::LayerFile> Make(const std::string& diff_id, const verity::ReadBytes& read);

  // Removes the images whose diff ids are not in what in_use returns. in_use runs under the store's
  // lock: who records a diff id before it calls Find never loses the image.
  void Collect(const std::function<std::set<std::string>()>& in_use);

  std::int64_t BytesOf(const std::string& diff_id) const;  // On disk; 0: no image.

 private:
  explicit LayerStore(std::string directory) : directory_(std::move(directory)) {}
  std::string Path(const std::string& diff_id) const { return directory_ + "/" + diff_id + ".img"; }

  std::string directory_;
  std::mutex mutex_;
};

}  // namespace kata_cc::snapshotter
