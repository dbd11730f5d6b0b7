// SPDX-License-Identifier: Apache-2.0
// OutputStream: what a process writes, for readers that ask for it. It holds no data: the pipe is
// the buffer, and a process whose output nobody reads waits.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "agent/process/reply.h"
#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

// Reactor thread only, all of it, the destructor too.
class OutputStream {
 public:
  using ReadReply = Reply<grpc::ReadStreamResponse>;
  static constexpr std::size_t kMaxParkedReads = 16;
  static constexpr std::size_t kMaxReadBytes = std::size_t{1} << 20;

  // fd: the read end of a pipe, or the master of a pty; non-blocking. on_end runs once.
  OutputStream(Reactor& reactor, UniqueFd fd, std::function<void()> on_end)
      : reactor_(reactor), fd_(std::move(fd)), on_end_(std::move(on_end)) {}
  OutputStream(const OutputStream&) = delete;
  OutputStream& operator=(const OutputStream&) = delete;
  ~OutputStream();

  // Answers with at most length bytes as soon as there are any; with none at the end of the stream.
  void Read(std::size_t length, ReadReply reply);

  // From now on what nobody is waiting for is thrown away, so that the process can go on.
  void Discard();

  // The process has ended. A child of its that still holds the pipe does not keep the stream open:
  // the stream ends with what is in the pipe a moment later.
  void ProcessEnded();

  bool ended() const { return ended_; }

 private:
  struct ParkedRead {
    std::size_t length;
    ReadReply reply;
  };

  void Pump();
  bool TryRead(std::string& data, std::size_t length);
  void UpdateWatch();
  void End();

  Reactor& reactor_;
  UniqueFd fd_;
  std::function<void()> on_end_;
  std::deque<ParkedRead> reads_;
  std::optional<Reactor::TimerId> timer_;
  std::optional<std::size_t> left_;  // After the process's end: this much, and no more.
  bool discard_ = false;
  bool watched_ = false;
  bool ended_ = false;
};

}  // namespace kata_cc::agent
