// SPDX-License-Identifier: Apache-2.0
#include "agent/process/process.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc::agent {
namespace {

constexpr std::int32_t kUnknownStatus = 255;

grpc::WaitProcessResponse StatusResponse(std::int32_t status) {
  grpc::WaitProcessResponse response;
  response.set_status(status);
  return response;
}

Error Removed(const char* what) {
  return {Code::kAborted, std::string(what) + ": the container was removed"};
}

}  // namespace

std::shared_ptr<Process> Process::Create(Reactor& reactor, pid_t pid, UniqueFd pidfd, Stdio stdio,
                                         Events events) {
  // Deleted on the reactor thread, for the watches are its own; or with the reactor's last tasks.
  std::shared_ptr<Process> process(
      new Process(reactor, pid, std::move(pidfd), std::move(stdio), std::move(events)),
      [&reactor](Process* raw) {
        reactor.Post([owner = std::shared_ptr<Process>(raw, [](Process* p) { delete p; })] {});
      });
  process->self_ = process;
  process->Post([](Process* self) {
    if (self != nullptr) self->Watch();
  });
  return process;
}

Process::Process(Reactor& reactor, pid_t pid, UniqueFd pidfd, Stdio stdio, Events events)
    : reactor_(reactor),
      pid_(pid),
      pidfd_(std::move(pidfd)),
      console_(std::move(stdio.console)),
      events_(std::move(events)),
      input_(reactor, std::move(stdio.input)),
      output_(reactor, std::move(stdio.output), [this] { CheckDone(); }) {
  if (stdio.error.valid()) {
    error_.emplace(reactor, std::move(stdio.error), [this] { CheckDone(); });
  }
}

Process::~Process() {
  if (watched_) reactor_.Unwatch(pidfd_.get());
  if (!exited() && events_.on_exit) events_.on_exit(pid_);  // No longer this object's to reap.
  for (auto& waiter : waiters_)
    waiter.done(Removed("wait"));
}

// Null to the task: it is gone. (A reference held by a task would be dropped with the reactor.)
template <typename Task>
void Process::Post(Task task) {
  reactor_.Post([weak = self_, task = std::move(task)]() mutable { task(weak.lock().get()); });
}

void Process::Watch() {
  watched_ = reactor_
                 .Watch(pidfd_.get(), EPOLLIN,
                        [this](std::uint32_t) {
                          const auto keep = self_.lock();
                          Collect();
                        })
                 .has_value();
  if (!watched_) Collect();  // Without a watch it can only be asked once; better than never.
}

void Process::Collect() {
  siginfo_t info = {};
  const int rc = ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG);
  if (rc == 0 && info.si_pid == 0) return;
  if (std::exchange(watched_, false)) reactor_.Unwatch(pidfd_.get());
  std::int32_t status = kUnknownStatus;
  if (rc == 0) status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
  if (events_.on_exit) events_.on_exit(pid_);
  {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }
  exit_.notify_all();
  input_.ProcessEnded();
  output_.ProcessEnded();
  if (error_) error_->ProcessEnded();
  for (auto& waiter : std::exchange(waiters_, {})) {
    heard_of_ = heard_of_ || waiter.IsWanted();
    waiter.done(StatusResponse(status));
  }
  CheckDone();
}

void Process::CheckDone() {
  if (!exited() || !heard_of_ || !output_.ended() || (error_ && !error_->ended())) return;
  if (!events_.on_done) return;
  // Not now: a stream or a waiter is being served.
  reactor_.Post(std::exchange(events_.on_done, {}));
}

Result<void> Process::Signal(int signal) const {
  if (signal <= 0 || signal > SIGRTMAX) {
    return Error(Code::kInvalidArgument, "signal: no such signal");
  }
  if (::pidfd_send_signal(pidfd_.get(), signal, nullptr, 0) != 0 && errno != ESRCH) {
    return ErrnoError(errno, "signal");
  }
  return {};
}

bool Process::exited() const {
  const std::lock_guard lock(mutex_);
  return status_.has_value();
}

bool Process::WaitForExit(std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  return exit_.wait_for(lock, patience, [this] { return status_.has_value(); });
}

Result<void> Process::Resize(unsigned rows, unsigned columns) const {
  if (!console_.valid()) {
    return Error(Code::kFailedPrecondition, "resize: the process has no terminal");
  }
  return ResizeTerminal(console_.get(), rows, columns);
}

void Process::Wait(Reply<grpc::WaitProcessResponse> reply) {
  Post([reply = std::move(reply)](Process* self) mutable {
    if (self == nullptr) return reply.done(Removed("wait"));
    auto& waiters = self->waiters_;
    waiters.erase(std::remove_if(waiters.begin(), waiters.end(),
                                 [](const auto& waiter) { return !waiter.IsWanted(); }),
                  waiters.end());
    if (self->exited()) {
      self->heard_of_ = true;
      reply.done(StatusResponse(*self->status_));
      self->CheckDone();
    } else if (waiters.size() >= kMaxWaiters) {
      reply.done(Error(Code::kResourceExhausted, "wait: too many waiters"));
    } else {
      waiters.push_back(std::move(reply));
    }
  });
}

OutputStream& Process::Output(OutputKind kind) {
  return kind == OutputKind::kStdout ? output_ : *error_;
}

void Process::Read(OutputKind kind, std::size_t length, Reply<grpc::ReadStreamResponse> reply) {
  Post([kind, length, reply = std::move(reply)](Process* self) mutable {
    if (self == nullptr) return reply.done(Removed("read"));
    if (kind == OutputKind::kStderr && !self->error_) {
      reply.done(grpc::ReadStreamResponse());  // A terminal has one output; this one is at its end.
    } else {
      self->Output(kind).Read(length, std::move(reply));
    }
  });
}

void Process::Discard(OutputKind kind) {
  Post([kind](Process* self) {
    if (self == nullptr) return;
    if (kind == OutputKind::kStdout || self->error_) self->Output(kind).Discard();
  });
}

void Process::Write(std::string data, Reply<grpc::WriteStreamResponse> reply) {
  Post([data = std::move(data), reply = std::move(reply)](Process* self) mutable {
    if (self == nullptr) return reply.done(Removed("write"));
    self->input_.Write(std::move(data), std::move(reply));
  });
}

void Process::CloseInput() {
  Post([](Process* self) {
    if (self != nullptr && !self->console_.valid()) self->input_.Close();
  });
}

}  // namespace kata_cc::agent
