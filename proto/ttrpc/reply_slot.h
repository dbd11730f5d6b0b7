// SPDX-License-Identifier: Apache-2.0
// ReplySlot: the place of one call's answer, behind Responder. Used by server.cc only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "proto/ttrpc/deadlines.h"

namespace kata_cc::ttrpc::internal {

// What a slot needs of its connection. Any thread.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // The call is answered: forgets it and sends the frame.
  virtual void Answer(std::uint32_t stream_id, std::uint64_t epoch,
                      std::optional<Deadline> deadline, std::string frame) = 0;
  // One call less in flight.
  virtual void Finished() = 0;
};

class ReplySlot {
 public:
  ReplySlot(std::weak_ptr<ReplySink> sink, std::uint32_t stream_id, std::uint64_t epoch,
            std::optional<Deadline> deadline)
      : sink_(std::move(sink)), stream_id_(stream_id), epoch_(epoch), deadline_(deadline) {}
  ReplySlot(const ReplySlot&) = delete;
  ReplySlot& operator=(const ReplySlot&) = delete;
  // Answers Internal if nothing else did: the handler dropped its responder.
  ~ReplySlot();

  // Any thread. The first answer counts; none does once the call is abandoned.
  void Reply(std::string payload);
  void Fail(const Error& error);

  // Nobody waits any more. True if that is news; runs the callback then.
  bool Abandon();
  bool wanted() const { return state_.load() == State::kOpen; }
  void OnAbandoned(std::function<void()> callback);

  std::uint32_t stream_id() const { return stream_id_; }
  std::optional<Deadline> deadline() const { return deadline_; }

 private:
  enum class State { kOpen, kAnswered, kAbandoned };
  bool Take();
  void Send(std::string frame);

  const std::weak_ptr<ReplySink> sink_;
  const std::uint32_t stream_id_;
  const std::uint64_t epoch_;
  const std::optional<Deadline> deadline_;
  std::mutex mutex_;
  std::atomic<State> state_ = State::kOpen;  // Written with mutex_ held.
  std::function<void()> on_abandoned_;       // Guarded by mutex_.
};

}  // namespace kata_cc::ttrpc::internal
