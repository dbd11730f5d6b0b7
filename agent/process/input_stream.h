// SPDX-License-Identifier: Apache-2.0
// InputStream: what a process reads. A write is answered when the process's pipe has taken all of
// it, so a process that does not read holds its writer back.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <utility>

#include "agent/process/reply.h"
#include "base/reactor.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

// Reactor thread only, all of it, the destructor too. SIGPIPE is ignored.
class InputStream {
 public:
  using WriteReply = Reply<grpc::WriteStreamResponse>;
  static constexpr std::size_t kMaxPendingBytes = std::size_t{8} << 20;

  // fd: the write end of a pipe, or a pty's master; non-blocking.
  InputStream(Reactor& reactor, UniqueFd fd) : reactor_(reactor), fd_(std::move(fd)) {}
  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;
  ~InputStream();

  void Write(std::string data, WriteReply reply);
  // Once all that was written before is gone. A pty stays open: its other half is the output.
  void Close();
  // Nobody will read what is left.
  void ProcessEnded() { Fail(); }

 private:
  struct PendingWrite {
    std::string data;
    std::size_t written;
    WriteReply reply;
  };

  void Pump();
  void Fail();
  void UpdateWatch();

  Reactor& reactor_;
  UniqueFd fd_;
  std::deque<PendingWrite> writes_;
  std::size_t pending_bytes_ = 0;
  bool closing_ = false;
  bool watched_ = false;
};

}  // namespace kata_cc::agent
