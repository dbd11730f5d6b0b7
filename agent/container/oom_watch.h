// SPDX-License-Identifier: Apache-2.0
// OomWatch: tells when the kernel killed a container's process for lack of memory, from the
// container's memory.events (cgroup v2).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/container/cgroup.h"
#include "agent/process/reply.h"
#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

// Reactor thread only, unless said otherwise. The reactor outlives it.
class OomWatch {
 public:
  static constexpr std::size_t kMaxEvents = 64;  // Untold ones; the oldest go first.
  static constexpr std::size_t kMaxWaiters = 16;

  // Any thread, before the reactor runs or on its thread.
  static Result<std::unique_ptr<OomWatch>> Create(Reactor& reactor);
  OomWatch(const OomWatch&) = delete;
  OomWatch& operator=(const OomWatch&) = delete;
  ~OomWatch();

  // A group without memory.events (no memory controller) is never heard of, which is no error.
  void Add(const std::string& container_id, const Cgroup& cgroup);
  void Remove(const std::string& container_id);
  // Looks now, so that an event comes before what the caller is about to tell.
  void Check(const std::string& container_id);

  void Next(Reply<grpc::OOMEvent> reply);
  // Answers all who wait with error.
  void FailWaiters(const Error& error);

 private:
  struct Watched {
    Cgroup cgroup;
    std::uint64_t kills;
  };

  OomWatch(Reactor& reactor, UniqueFd inotify);
  void OnEvents();
  void Deliver();

  Reactor& reactor_;
  UniqueFd inotify_;
  std::map<std::string, Watched> containers_;
  std::map<int, std::string> by_watch_;
  std::deque<std::string> events_;
  std::deque<Reply<grpc::OOMEvent>> waiters_;
};

}  // namespace kata_cc::agent
