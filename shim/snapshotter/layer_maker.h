// SPDX-License-Identifier: Apache-2.0
// LayerMaker: makes the images of layers in the background, while containerd fetches and unpacks
// them, so that Commit, which containerd calls inside its database's transaction, has nothing to
// do. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "shim/snapshotter/layer_finder.h"
#include "shim/snapshotter/layer_store.h"
#include "shim/snapshotter/snapshot_store.h"

namespace kata_cc::snapshotter {

struct MakerTimes {
  std::chrono::milliseconds first_poll{20};  // For content that is still being fetched.
  std::chrono::milliseconds slowest_poll{500};
  std::chrono::milliseconds committed_patience{10000};  // With content that should be there.
};

class LayerMaker {
 public:
  // All outlive it.
  LayerMaker(SnapshotStore& snapshots, LayerStore& layers, Content& content, LayerFinder& finder,
             std::size_t threads = 2, MakerTimes times = {});
  LayerMaker(const LayerMaker&) = delete;
  LayerMaker& operator=(const LayerMaker&) = delete;
  ~LayerMaker();  // Waits for the conversions under way.

  // Starts to make the image of a layer's snapshot, unless that is under way. Returns at once.
  void Want(const Record& layer);

  // The images of layers in their order. Makes what is missing, also what has failed before, and
  // waits until deadline; Cancelled when cancelled turns true.
  Result<std::vector<shim::LayerFile>> Get(const std::vector<Record>& layers,
                                           std::chrono::steady_clock::time_point deadline,
                                           const std::function<bool()>& cancelled);

 private:
  using Clock = std::chrono::steady_clock;
  struct Job {
    std::uint64_t snapshot_id = 0;
    std::string name;  // Of the snapshot when it was prepared.
    std::string content_namespace;
    std::string chain_id;
    std::string diff_id;
    Clock::time_point next_try;
    std::chrono::milliseconds pause{0};
    Clock::time_point give_up = Clock::time_point::max();  // Set once the snapshot is committed.
    unsigned tries = 0;
    bool running = false;
  };
  enum class Outcome { kDone, kLater, kGone };

  void Work();
  Result<Outcome> Try(Job* job);
  Result<Outcome> Convert(Job* job, const std::vector<std::string>& blobs);
  bool StillWanted(Job* job);

  SnapshotStore& snapshots_;
  LayerStore& layers_;
  Content& content_;
  LayerFinder& finder_;
  const MakerTimes times_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Job> jobs_;  // By snapshot id.
  std::map<std::uint64_t, Error> failures_;
  std::set<std::string> converting_;  // Diff ids.
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kata_cc::snapshotter
