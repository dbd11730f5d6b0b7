// SPDX-License-Identifier: Apache-2.0
// Deadlines: when which call of a connection expires, with one reactor timer for all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "base/reactor.h"
#include "base/synced.h"

namespace kata_cc::ttrpc {

using Deadline = std::chrono::steady_clock::time_point;

// A deadline so many nanoseconds from now; none when that is beyond any use.
std::optional<Deadline> DeadlineIn(std::chrono::nanoseconds timeout);

class Deadlines : public std::enable_shared_from_this<Deadlines> {
 public:
  // expired(call) runs on the reactor's thread, with no lock held, until Stop().
  static std::shared_ptr<Deadlines> Create(Reactor& reactor,
                                           std::function<void(std::uint64_t call)> expired);

  // Any thread.
  void Add(Deadline deadline, std::uint64_t call);
  void Remove(Deadline deadline, std::uint64_t call);

  // Reactor thread only: nothing expires any more. Must come before the end of the reactor.
  void Stop();

 private:
  struct State {
    std::set<std::pair<Deadline, std::uint64_t>> waiting;
    // When the timer looks next. Not moved back when a call ends: calls come and go far more
    // often than they expire.
    std::optional<Deadline> look_at;
    bool stopped = false;
  };

  Deadlines(Reactor& reactor, std::function<void(std::uint64_t)> expired)
      : reactor_(reactor), expired_(std::move(expired)) {}
  void Arm();
  void Look();

  Reactor& reactor_;
  std::function<void(std::uint64_t)> expired_;  // Reactor thread only.
  std::optional<Reactor::TimerId> timer_;       // Reactor thread only.
  Synced<State> state_;
};

}  // namespace kata_cc::ttrpc
