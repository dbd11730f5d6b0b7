// SPDX-License-Identifier: Apache-2.0
#include "base/reactor.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/retry.h"

namespace kata_cc {
namespace {

// Whether this thread is inside Run(), of whichever reactor.
bool& InRun() {
  thread_local bool in_run = false;
  return in_run;
}

std::uint64_t EventKey(int fd, std::uint32_t generation) {
  return (std::uint64_t{generation} << 32U) | static_cast<std::uint32_t>(fd);
}

// Later than any use of the program, and far enough from the clock's end to compare with.
constexpr std::chrono::hours kLongestDelay{24 * 365 * 100};

}  // namespace

bool Reactor::OnReactorThread() {
  return InRun();
}

Result<Reactor*> Reactor::Create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoError(errno, "epoll_create1");
  UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup.valid()) return ErrnoError(errno, "eventfd");
  const int wakeup_fd = wakeup.get();
  std::unique_ptr<Reactor> reactor(new Reactor(std::move(epoll), std::move(wakeup)));
  Reactor* raw = reactor.get();
  TRY(reactor->Watch(wakeup_fd, EPOLLIN, [raw](std::uint32_t) { raw->RunPosted(); }));
  return reactor.release();
}

Result<void> Reactor::Watch(int fd, std::uint32_t events, Callback callback) {
  const std::uint32_t generation = next_generation_++;
  epoll_event event = {};
  event.events = events;
  event.data.u64 = EventKey(fd, generation);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoError(errno, "epoll_ctl");
  }
  watched_[fd] = Watched{generation, std::make_shared<const Callback>(std::move(callback))};
  return {};
}

Result<void> Reactor::Modify(int fd, std::uint32_t events) {
  const auto it = watched_.find(fd);
  if (it == watched_.end()) return ErrnoError(ENOENT, "reactor: modify an unwatched descriptor");
  epoll_event event = {};
  event.events = events;
  event.data.u64 = EventKey(fd, it->second.generation);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return ErrnoError(errno, "epoll_ctl");
  }
  return {};
}

void Reactor::Unwatch(int fd) {
  if (watched_.erase(fd) == 0) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Reactor::Post(std::function<void()> task) {
  {
    auto posted = posted_.Lock();
    posted->push_back(std::move(task));
    if (posted->size() > 1) return;  // Who posted the first of them wakes the reactor.
  }
  const std::uint64_t one = 1;
  if (::write(wakeup_.get(), &one, sizeof(one)) < 0) return;  // Full counter: already awake.
}

void Reactor::RunPosted() {
  std::uint64_t count = 0;
  if (::read(wakeup_.get(), &count, sizeof(count)) < 0) return;
  auto tasks = std::exchange(*posted_.Lock(), {});
  for (auto& task : tasks) {
    task();
    task = nullptr;  // What it captured goes before the next one runs.
  }
}

Reactor::TimerId Reactor::After(std::chrono::nanoseconds delay, std::function<void()> task) {
  const TimerId id = next_timer_++;
  const Due due{
      std::chrono::steady_clock::now() + std::min<std::chrono::nanoseconds>(delay, kLongestDelay),
      id};
  timers_.emplace(due, std::move(task));
  due_.emplace(id, due);
  return id;
}

void Reactor::Cancel(TimerId id) {
  const auto it = due_.find(id);
  if (it == due_.end()) return;
  timers_.erase(it->second);
  due_.erase(it);
}

void Reactor::RunTimers() {
  const auto now = std::chrono::steady_clock::now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto timer = timers_.extract(timers_.begin());
    due_.erase(timer.key().second);
    timer.mapped()();
  }
}

int Reactor::PollTimeoutMs() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first.first - std::chrono::steady_clock::now();
  if (left.count() <= 0) return 0;
  // Rounded up, so that a timer is due when its poll ends; a day at most, for the int's sake.
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(ms, 86'400'000));
}

void Reactor::Dispatch(const epoll_event& event) {
  const auto it = watched_.find(static_cast<int>(event.data.u64 & 0xffffffffU));
  if (it == watched_.end()) return;  // Unwatched by an earlier callback of this round.
  if (it->second.generation != event.data.u64 >> 32U) return;  // Its number has a new owner.
  const auto callback = it->second.callback;  // Keeps it alive: it may unwatch itself.
  (*callback)(event.events);
}

Result<void> Reactor::Run() {
  const bool nested = std::exchange(InRun(), true);
  std::array<epoll_event, 64> events = {};
  Result<void> result;
  running_ = true;  // So that it can be run again.
  while (running_) {
    const int n = RetryOnEintr([&] {
      return ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                          PollTimeoutMs());
    });
    if (n < 0) {
      result = ErrnoError(errno, "epoll_wait");
      break;
    }
    for (int i = 0; i < n; ++i)
      Dispatch(events.at(static_cast<std::size_t>(i)));
    RunTimers();
  }
  InRun() = nested;
  return result;
}

}  // namespace kata_cc
