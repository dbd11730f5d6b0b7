// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/reply_slot.h"

#include <utility>

#include "proto/ttrpc/message.h"

namespace kata_cc::ttrpc::internal {

ReplySlot::~ReplySlot() {
  if (wanted()) {
    Fail(Error(Code::kInternal, "ttrpc: the handler gave no answer"));
    return;
  }
  // An answered call was counted off when it was answered, so that its caller, who may react at
  // once, finds its place free.
  if (state_.load() != State::kAbandoned) return;
  if (const auto sink = sink_.lock()) sink->Finished();
}

bool ReplySlot::Take() {
  std::function<void()> dropped;  // Destroyed without the lock: it may own anything.
  const std::lock_guard lock(mutex_);
  if (state_.load() != State::kOpen) return false;
  state_ = State::kAnswered;
  dropped = std::exchange(on_abandoned_, nullptr);
  return true;
}

void ReplySlot::Send(std::string frame) {
  const auto sink = sink_.lock();
  if (!sink) return;
  sink->Finished();
  sink->Answer(stream_id_, epoch_, deadline_, std::move(frame));
}

void ReplySlot::Reply(std::string payload) {
  if (Take()) Send(EncodeReply(stream_id_, std::move(payload)));
}

void ReplySlot::Fail(const Error& error) {
  if (Take()) Send(EncodeFailure(stream_id_, error));
}

bool ReplySlot::Abandon() {
  std::function<void()> callback;
  {
    const std::lock_guard lock(mutex_);
    if (state_.load() != State::kOpen) return false;
    state_ = State::kAbandoned;
    callback = std::exchange(on_abandoned_, nullptr);
  }
  if (callback) callback();
  return true;
}

void ReplySlot::OnAbandoned(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (state_.load() == State::kAnswered) return;
    if (state_.load() == State::kOpen) {
      on_abandoned_ = std::move(callback);
      return;
    }
  }
  if (callback) callback();
}

}  // namespace kata_cc::ttrpc::internal
