// SPDX-License-Identifier: Apache-2.0
// Process: a process of a container, with its streams, and those who wait for its end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "agent/process/input_stream.h"
#include "agent/process/output_stream.h"
#include "agent/process/reply.h"
#include "agent/process/stdio.h"
#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

enum class OutputKind { kStdout, kStderr };

// A child of this process (by birth or as an orphan) that only this object reaps. Its destructor
// runs on the reactor thread, wherever the last reference goes.
class Process {
 public:
  static constexpr std::size_t kMaxWaiters = 64;

  // on_exit and on_done run once, on the reactor thread: when the process was reaped (before any
  // waiter hears of it) or is given up unreaped with this object, and when it has ended, somebody
  // has heard of it, and its streams ended.
  struct Events {
    std::function<void(pid_t pid)> on_exit;
    std::function<void()> on_done;
  };
  static std::shared_ptr<Process> Create(Reactor& reactor, pid_t pid, UniqueFd pidfd, Stdio stdio,
                                         Events events);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Any thread. A signal to a process that has ended is no error.
  pid_t pid() const { return pid_; }
  Result<void> Signal(int signal) const;
  bool exited() const;
  bool WaitForExit(std::chrono::milliseconds patience) const;  // Blocks; false: still there.
  Result<void> Resize(unsigned rows, unsigned columns) const;

  // Any thread; work on the reactor's. As OutputStream and InputStream.
  void Wait(Reply<grpc::WaitProcessResponse> reply);
  void Read(OutputKind kind, std::size_t length, Reply<grpc::ReadStreamResponse> reply);
  void Discard(OutputKind kind);
  void Write(std::string data, Reply<grpc::WriteStreamResponse> reply);
  void CloseInput();

 private:
  Process(Reactor& reactor, pid_t pid, UniqueFd pidfd, Stdio stdio, Events events);
  ~Process();
  void Watch();
  void Collect();
  void CheckDone();
  OutputStream& Output(OutputKind kind);
  template <typename Task>
  void Post(Task task);

  Reactor& reactor_;
  const pid_t pid_;
  const UniqueFd pidfd_;
  const UniqueFd console_;
  std::weak_ptr<Process> self_;

  // Reactor thread.
  Events events_;
  InputStream input_;
  OutputStream output_;
  std::optional<OutputStream> error_;  // None with a terminal.
  std::vector<Reply<grpc::WaitProcessResponse>> waiters_;
  bool watched_ = false;
  bool heard_of_ = false;

  mutable std::mutex mutex_;
  mutable std::condition_variable exit_;
  std::optional<std::int32_t> status_;
};

}  // namespace kata_cc::agent
