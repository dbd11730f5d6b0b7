// SPDX-License-Identifier: Apache-2.0
// VolumeWatch: sends the guest what kubelet changes in volumes that it was given copies of. kubelet
// writes such a volume (ConfigMap, Secret, projected, downward API) anew into a directory beside
// the old one and then renames the link `..data` over; the copies go in the same order, so a reader
// in the guest sees the old files or the new ones.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/reactor.h"
#include "base/worker_pool.h"
#include "shim/guest/guest_spec.h"

namespace kata_cc::shim {

class VolumeWatch : public std::enable_shared_from_this<VolumeWatch> {
 public:
  // copy runs on the pool and may block. Reactor and pool outlive it.
  using Copy = std::function<Result<void>(const GuestCopy&)>;
  static std::shared_ptr<VolumeWatch> Create(
      Reactor& reactor, WorkerPool& pool, Copy copy,
      std::chrono::milliseconds settle = std::chrono::milliseconds(100));

  // Any thread; return at once. Only directories with a `..data` are watched; what cannot be is
  // logged, for the container has its first copy.
  void Add(const std::string& container_id, const std::vector<GuestCopy>& copies);
  void Remove(const std::string& container_id);
  void Stop();

 private:
  struct Watched {
    std::string container_id;
    GuestCopy copy;
    bool scheduled = false;
    bool copying = false;  // One at a time: an older copy must not end after a newer one.
    bool again = false;
    int retries_left = 0;
  };

  VolumeWatch(Reactor& reactor, WorkerPool& pool, Copy copy, std::chrono::milliseconds settle)
      : reactor_(reactor), pool_(pool), copy_(std::move(copy)), settle_(settle) {}

  // Reactor thread only, as all that follows.
  void Watch(const std::string& container_id, const GuestCopy& copy);
  void OnEvents();
  void Schedule(int key, std::chrono::milliseconds delay);
  void Update(int key);
  void OnCopied(int key, bool copied);

  Reactor& reactor_;
  WorkerPool& pool_;
  const Copy copy_;
  const std::chrono::milliseconds settle_;
  UniqueFd inotify_;
  std::map<int, std::set<int>> keys_;  // By inotify's watch: a volume may have several copies.
  std::map<int, Watched> watched_;     // By key.
  int next_key_ = 1;
};

}  // namespace kata_cc::shim
