// SPDX-License-Identifier: Apache-2.0
#include "agent/container/oom_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "base/retry.h"

namespace kata_cc::agent {

Result<std::unique_ptr<OomWatch>> OomWatch::Create(Reactor& reactor) {
  UniqueFd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) return ErrnoError(errno, "inotify_init1");
  std::unique_ptr<OomWatch> watch(new OomWatch(reactor, std::move(inotify)));
  OomWatch* const raw = watch.get();
  TRY(reactor.Watch(raw->inotify_.get(), EPOLLIN, [raw](std::uint32_t) { raw->OnEvents(); }));
  return watch;
}

OomWatch::OomWatch(Reactor& reactor, UniqueFd inotify)
    : reactor_(reactor), inotify_(std::move(inotify)) {}

OomWatch::~OomWatch() {
  FailWaiters(Error(Code::kAborted, "the agent ends"));
  reactor_.Unwatch(inotify_.get());
}

void OomWatch::Add(const std::string& container_id, const Cgroup& cgroup) {
  const int watch =
      ::inotify_add_watch(inotify_.get(), cgroup.MemoryEventsPath().c_str(), IN_MODIFY);
  if (watch < 0) return;
  by_watch_[watch] = container_id;
  containers_.insert_or_assign(container_id, Watched{cgroup, 0});
  Check(container_id);
}

void OomWatch::Remove(const std::string& container_id) {
  Check(container_id);
  containers_.erase(container_id);
  for (auto it = by_watch_.begin(); it != by_watch_.end();) {
    if (it->second != container_id) {
      ++it;
      continue;
    }
    ::inotify_rm_watch(inotify_.get(), it->first);  // Gone with the file, perhaps.
    it = by_watch_.erase(it);
  }
}

void OomWatch::Check(const std::string& container_id) {
  const auto it = containers_.find(container_id);
  if (it == containers_.end()) return;
  const std::uint64_t kills = it->second.cgroup.OomKills();
  if (kills <= it->second.kills) return;
  it->second.kills = kills;
  events_.push_back(container_id);
  if (events_.size() > kMaxEvents) events_.pop_front();
  Deliver();
}

void OomWatch::OnEvents() {
  alignas(inotify_event) std::array<char, 4096> buffer = {};
  std::set<std::string> changed;
  while (true) {
    const ssize_t n =
        RetryOnEintr([&] { return ::read(inotify_.get(), buffer.data(), buffer.size()); });
    if (n <= 0) break;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
      inotify_event event = {};
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      at += sizeof(event) + event.len;
      const auto it = by_watch_.find(event.wd);
      if (it == by_watch_.end()) continue;
      if ((event.mask & IN_IGNORED) != 0) {
        by_watch_.erase(it);
      } else {
        changed.insert(it->second);
      }
    }
  }
  for (const std::string& container_id : changed)
    Check(container_id);
}

void OomWatch::Next(Reply<grpc::OOMEvent> reply) {
  waiters_.erase(std::remove_if(waiters_.begin(), waiters_.end(),
                                [](const auto& waiter) { return !waiter.IsWanted(); }),
                 waiters_.end());
  if (waiters_.size() >= kMaxWaiters) {
    reply.done(Error(Code::kResourceExhausted, "OOM events: too many waiters"));
    return;
  }
  waiters_.push_back(std::move(reply));
  Deliver();
}

void OomWatch::Deliver() {
  while (!events_.empty() && !waiters_.empty()) {
    const auto reply = std::move(waiters_.front());
    waiters_.pop_front();
    if (!reply.IsWanted()) continue;
    grpc::OOMEvent event;
    event.set_container_id(events_.front());
    events_.pop_front();
    reply.done(std::move(event));
  }
}

void OomWatch::FailWaiters(const Error& error) {
  for (auto& waiter : std::exchange(waiters_, {}))
    waiter.done(error);
}

}  // namespace kata_cc::agent
