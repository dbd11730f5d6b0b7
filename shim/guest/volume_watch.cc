// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/volume_watch.h"

#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace kata_cc::shim {
namespace {

constexpr std::string_view kDataLink = "..data";
constexpr int kRetries = 5;
constexpr std::chrono::milliseconds kRetryPause{1000};

bool IsAtomicVolume(const std::string& path) {
  struct stat status = {};
  return ::lstat((path + "/" + std::string(kDataLink)).c_str(), &status) == 0 &&
         S_ISLNK(status.st_mode);
}

}  // namespace

std::shared_ptr<VolumeWatch> VolumeWatch::Create(Reactor& reactor, WorkerPool& pool, Copy copy,
                                                 std::chrono::milliseconds settle) {
  return std::shared_ptr<VolumeWatch>(new VolumeWatch(reactor, pool, std::move(copy), settle));
}

void VolumeWatch::Add(const std::string& container_id, const std::vector<GuestCopy>& copies) {
  for (const GuestCopy& copy : copies) {
    if (!IsAtomicVolume(copy.host_path)) continue;
    reactor_.Post(
        [self = shared_from_this(), container_id, copy] { self->Watch(container_id, copy); });
  }
}

void VolumeWatch::Remove(const std::string& container_id) {
  reactor_.Post([self = shared_from_this(), container_id] {
    std::erase_if(self->watched_, [&](const auto& entry) {
      if (entry.second.container_id != container_id) return false;
      for (auto& [watch, keys] : self->keys_)
        if (keys.erase(entry.first) > 0 && keys.empty())
          ::inotify_rm_watch(self->inotify_.get(), watch);
      return true;
    });
    std::erase_if(self->keys_, [](const auto& entry) { return entry.second.empty(); });
  });
}

void VolumeWatch::Stop() {
  reactor_.Post([self = shared_from_this()] {
    self->watched_.clear();
    self->keys_.clear();
    if (!self->inotify_.valid()) return;
    self->reactor_.Unwatch(self->inotify_.get());
    self->inotify_.Reset();
  });
}

void VolumeWatch::Watch(const std::string& container_id, const GuestCopy& copy) {
  const auto warn = [&](const std::string& why) {
    Log(LogLevel::kWarn, "updates of a volume will not reach the guest",
        {{field::kContainerId, container_id}, {field::kError, why}});
  };
  if (!inotify_.valid()) {
    inotify_.Reset(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_.valid()) return warn(std::strerror(errno));
    const auto watching =
        reactor_.Watch(inotify_.get(), EPOLLIN, [weak = weak_from_this()](std::uint32_t) {
          if (const auto self = weak.lock()) self->OnEvents();
        });
    if (!watching) return warn(watching.error().message());
  }
  const int watch =
      ::inotify_add_watch(inotify_.get(), copy.host_path.c_str(), IN_MOVED_TO | IN_ONLYDIR);
  if (watch < 0) return warn(std::strerror(errno));
  const int key = next_key_++;
  keys_[watch].insert(key);
  watched_[key] = {.container_id = container_id, .copy = copy, .retries_left = kRetries};
  // What changed between the first copy and the watch.
  Schedule(key, settle_);
}

void VolumeWatch::OnEvents() {
  alignas(inotify_event) std::array<char, 16384> buffer;
  while (true) {
    const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (size <= 0) return;  // EAGAIN: all are read.
    for (ssize_t at = 0; at < size;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof(event));
      const std::string_view name =
          event.len > 0 ? std::string_view(buffer.data() + at + sizeof(event)) : std::string_view();
      at += static_cast<ssize_t>(sizeof(event) + event.len);
      if (name != kDataLink) continue;
      const auto keys = keys_.find(event.wd);
      if (keys == keys_.end()) continue;
      for (const int key : keys->second) {
        watched_[key].retries_left = kRetries;
        Schedule(key, settle_);
      }
    }
  }
}

void VolumeWatch::Schedule(int key, std::chrono::milliseconds delay) {
  if (std::exchange(watched_[key].scheduled, true)) return;
  reactor_.After(delay, [weak = weak_from_this(), key] {
    if (const auto self = weak.lock()) self->Update(key);
  });
}

void VolumeWatch::Update(int key) {
  const auto found = watched_.find(key);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  watched.scheduled = false;
  if (watched.copying) {
    watched.again = true;
    return;
  }
  watched.copying = true;
  pool_.Post([self = shared_from_this(), key, copy = watched.copy] {
    const Result<void> copied = self->copy_(copy);
    if (!copied)
      Log(LogLevel::kWarn, "update of a volume did not reach the guest",
          {{field::kPath, copy.guest_path}, {field::kError, copied.error().message()}});
    self->reactor_.Post([self, key, ok = bool(copied)] { self->OnCopied(key, ok); });
  });
}

void VolumeWatch::OnCopied(int key, bool copied) {
  const auto found = watched_.find(key);
  if (found == watched_.end()) return;
  Watched& watched = found->second;
  watched.copying = false;
  // kubelet may have replaced it once more meanwhile.
  if (std::exchange(watched.again, false)) return Schedule(key, settle_);
  if (!copied && watched.retries_left-- > 0) Schedule(key, kRetryPause);
}

}  // namespace kata_cc::shim
