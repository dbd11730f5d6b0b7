// SPDX-License-Identifier: Apache-2.0
// Reactor: one thread that waits on file descriptors and runs their callbacks.
#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/synced.h"
#include "base/unique_fd.h"

namespace kata_cc {

class Reactor {
 public:
  using Callback = std::function<void(std::uint32_t events)>;

  static Result<Reactor*> Create();  // A heap object, for its address is given to callbacks.

  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Reactor thread only. The descriptor stays the caller's and must outlive its watch.
  Result<void> Watch(int fd, std::uint32_t events, Callback callback);
  Result<void> Modify(int fd, std::uint32_t events);  // Changes what a watched fd waits for.
  void Unwatch(int fd);

  // Reactor thread only: runs task once, no sooner than delay from now; the id cancels it.
  using TimerId = std::uint64_t;
  TimerId After(std::chrono::nanoseconds delay, std::function<void()> task);
  void Cancel(TimerId id);  // No effect once it ran.

  // Any thread: runs task on the reactor thread.
  void Post(std::function<void()> task);

  // Runs callbacks until Stop() is called from one of them.
  Result<void> Run();
  void Stop() { running_ = false; }

  // Any thread: whether the calling thread is inside the Run() of some reactor, and so may not
  // block.
  static bool OnReactorThread();

 private:
  // The generation tells a watch from an earlier one on the same number, whose events may still
  // be in the round that is being worked off.
  struct Watched {
    std::uint32_t generation;
    std::shared_ptr<const Callback> callback;
  };

  Reactor(UniqueFd epoll, UniqueFd wakeup) : epoll_(std::move(epoll)), wakeup_(std::move(wakeup)) {}
  void Dispatch(const epoll_event& event);
  void RunPosted();
  void RunTimers();
  int PollTimeoutMs() const;

  UniqueFd epoll_;
  UniqueFd wakeup_;
  bool running_ = true;
  std::uint32_t next_generation_ = 1;
  std::unordered_map<int, Watched> watched_;
  using Due = std::pair<std::chrono::steady_clock::time_point, TimerId>;
  std::map<Due, std::function<void()>> timers_;
  std::map<TimerId, Due> due_;
  TimerId next_timer_ = 1;
  Synced<std::vector<std::function<void()>>> posted_;
};

}  // namespace kata_cc
