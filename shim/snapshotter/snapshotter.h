// SPDX-License-Identifier: Apache-2.0
// Snapshotter: containerd's snapshot API without its wire. Snapshots are directories that overlayfs
// stacks, as containerd's own overlayfs snapshotter has them, so that containerd can mount them on
// the host; beside the directories, each image layer gets its verified image. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/worker_pool.h"
#include "shim/rootfs/rootfs_image.h"
#include "shim/snapshotter/layer_finder.h"
#include "shim/snapshotter/layer_maker.h"
#include "shim/snapshotter/layer_store.h"
#include "shim/snapshotter/snapshot_store.h"

namespace kata_cc::snapshotter {

class Snapshotter {
 public:
  // All outlive it. Makes what an earlier run has left unmade, in the background.
  Snapshotter(SnapshotStore& snapshots, LayerStore& layers, LayerFinder& finder, LayerMaker& maker);

  // kind, name, parent, labels and content_namespace of wanted count. FailedPrecondition, with the
  // reason, for a layer that can never be run (Docker schema 1, encrypted).
  Result<std::vector<shim::HostMount>> Prepare(Record wanted);

  // For a container's snapshot, waits until deadline for the images of its layers, and writes the
  // list that the shim reads.
  Result<std::vector<shim::HostMount>> Mounts(const std::string& key,
                                              std::chrono::steady_clock::time_point deadline,
                                              const std::function<bool()>& cancelled);

  // Returns fast: containerd calls it inside its database's transaction. parent empty: as prepared.
  Result<void> Commit(const std::string& key, const std::string& name, const std::string& parent,
                      std::map<std::string, std::string> labels);
  Result<void> Remove(const std::string& key);
  Result<DiskUse> Usage(const std::string& key);
  Result<void> Cleanup();

  SnapshotStore& snapshots() { return snapshots_; }

 private:
  Result<std::vector<shim::HostMount>> MountsOf(const Record& record);
  Result<void> WriteLayerList(const std::vector<Record>& chain,
                              std::chrono::steady_clock::time_point deadline,
                              const std::function<bool()>& cancelled);
  void FinishCommit(const Record& record);

  SnapshotStore& snapshots_;
  LayerStore& layers_;
  LayerFinder& finder_;
  LayerMaker& maker_;
  const bool index_off_;
  WorkerPool housekeeping_{1};  // Last: its tasks use all of the above.
};

}  // namespace kata_cc::snapshotter
