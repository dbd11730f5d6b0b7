// SPDX-License-Identifier: Apache-2.0
#include "agent/process/reaper.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>
#include <vector>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

std::atomic<int> signal_fd{-1};

// Not a signalfd: that needs SIGCHLD blocked in each thread, also in those that exist already.
void OnSigchld(int) {
  const int saved = errno;
  const std::uint64_t one = 1;
  if (::write(signal_fd.load(), &one, sizeof(one)) < 0) {
    // A full counter: the reactor knows already.
  }
  errno = saved;
}

std::vector<pid_t> ChildrenOfMainThread() {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  std::vector<pid_t> children;
  const std::string pid = std::to_string(::getpid());
  const auto content = ReadFile("/proc/self/task/" + pid + "/children", kMaxBytes);
  if (!content) return children;
  const std::string text = AsString(*content);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    pid_t child = 0;
    const auto parsed = std::from_chars(at, end, child);
    if (parsed.ec != std::errc()) break;
    children.push_back(child);
    at = parsed.ptr + 1;  // A space.
  }
  return children;
}

}  // namespace

Result<std::unique_ptr<Reaper>> Reaper::Create(Reactor& reactor) {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return ErrnoError(errno, "subreaper");
  std::unique_ptr<Reaper> reaper(new Reaper(reactor));
  reaper->signalled_.Reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!reaper->signalled_.valid()) return ErrnoError(errno, "eventfd");
  signal_fd = reaper->signalled_.get();
  struct sigaction action = {};
  action.sa_handler = OnSigchld;
  action.sa_flags = SA_RESTART | SA_NOCLDSTOP;
  if (::sigaction(SIGCHLD, &action, nullptr) != 0) return ErrnoError(errno, "sigaction");
  Reaper* const raw = reaper.get();
  TRY(reactor.Watch(raw->signalled_.get(), EPOLLIN, [raw](std::uint32_t) { raw->Collect(); }));
  return reaper;
}

Reaper::~Reaper() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGCHLD, &action, nullptr);
  signal_fd = -1;
  reactor_.Unwatch(signalled_.get());
}

Reaper::Hold::Hold(Reaper& reaper) : reaper_(reaper) {
  ++reaper_.state_->Lock()->holds;
}

Reaper::Hold::~Hold() {
  bool last = false;
  {
    auto state = reaper_.state_->Lock();
    last = --state->holds == 0;
  }
  if (last) reaper_.Poke();
}

void Reaper::Hold::Adopt(pid_t pid) {
  reaper_.state_->Lock()->owned.insert(pid);
}

void Reaper::Forget(pid_t pid) {
  state_->Lock()->owned.erase(pid);
  Poke();
}

void Reaper::Poke() {
  const std::uint64_t one = 1;
  if (::write(signalled_.get(), &one, sizeof(one)) < 0) return;  // It is awake already.
}

void Reaper::Collect() {
  std::uint64_t count = 0;
  if (::read(signalled_.get(), &count, sizeof(count)) < 0) return;
  auto state = state_->Lock();   // No process is adopted meanwhile.
  if (state->holds > 0) return;  // The last one's end brings us back.
  for (const pid_t pid : ChildrenOfMainThread()) {
    if (state->owned.contains(pid)) continue;
    siginfo_t info = {};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
  }
}

}  // namespace kata_cc::agent
