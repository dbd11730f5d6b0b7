// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/deadlines.h"

#include <vector>

namespace kata_cc::ttrpc {

std::optional<Deadline> DeadlineIn(std::chrono::nanoseconds timeout) {
  constexpr std::chrono::hours kBeyondUse{24 * 365 * 100};  // The sum below must not overflow.
  if (timeout > kBeyondUse) return std::nullopt;
  const Deadline now = std::chrono::steady_clock::now();
  return timeout.count() <= 0 ? now : now + timeout;
}

std::shared_ptr<Deadlines> Deadlines::Create(Reactor& reactor,
                                             std::function<void(std::uint64_t)> expired) {
  return std::shared_ptr<Deadlines>(new Deadlines(reactor, std::move(expired)));
}

void Deadlines::Add(Deadline deadline, std::uint64_t call) {
  {
    auto state = state_.Lock();
    if (state->stopped) return;
    state->waiting.emplace(deadline, call);
    if (state->look_at && *state->look_at <= deadline) return;
    state->look_at = deadline;
  }
  reactor_.Post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Arm();
  });
}

void Deadlines::Remove(Deadline deadline, std::uint64_t call) {
  state_.Lock()->waiting.erase({deadline, call});
}

void Deadlines::Stop() {
  {
    auto state = state_.Lock();
    state->stopped = true;
    state->waiting.clear();
  }
  if (timer_) reactor_.Cancel(*timer_);
  timer_.reset();
  expired_ = nullptr;
}

void Deadlines::Arm() {
  std::optional<Deadline> look_at;
  {
    auto state = state_.Lock();
    if (state->stopped) return;
    look_at = state->look_at;
  }
  if (!look_at) return;
  if (timer_) reactor_.Cancel(*timer_);
  timer_ = reactor_.After(*look_at - std::chrono::steady_clock::now(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Look();
  });
}

void Deadlines::Look() {
  timer_.reset();
  std::vector<std::uint64_t> expired;
  {
    auto state = state_.Lock();
    if (state->stopped) return;
    auto& waiting = state->waiting;
    const Deadline now = std::chrono::steady_clock::now();
    while (!waiting.empty() && waiting.begin()->first <= now)
      expired.push_back(waiting.extract(waiting.begin()).value().second);
    state->look_at.reset();
    if (!waiting.empty()) state->look_at = waiting.begin()->first;
  }
  Arm();
  for (const std::uint64_t call : expired) {
    if (!expired_) return;  // Stopped by the one before.
    const auto callback = expired_;
    callback(call);
  }
}

}  // namespace kata_cc::ttrpc
