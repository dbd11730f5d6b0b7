// SPDX-License-Identifier: Apache-2.0
#include "agent/process/output_stream.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include "base/retry.h"

namespace kata_cc::agent {
namespace {

constexpr std::chrono::milliseconds kDrainTime{500};  // Kata's.
constexpr std::size_t kDiscardBytes = 65536;

}  // namespace

OutputStream::~OutputStream() {
  if (timer_) reactor_.Cancel(*timer_);
  if (watched_) reactor_.Unwatch(fd_.get());
  for (ParkedRead& read : reads_)
    read.reply.done(Error(Code::kAborted, "read: the container was removed"));
}

void OutputStream::Read(std::size_t length, ReadReply reply) {
  if (length == 0) {
    reply.done(Error(Code::kInvalidArgument, "read: a length of zero"));
    return;
  }
  reads_.erase(std::remove_if(reads_.begin(), reads_.end(),
                              [](const ParkedRead& read) { return !read.reply.IsWanted(); }),
               reads_.end());
  if (reads_.size() >= kMaxParkedReads) {
    reply.done(Error(Code::kResourceExhausted, "read: too many readers"));
    return;
  }
  reads_.push_back({std::min(length, kMaxReadBytes), std::move(reply)});
  Pump();
}

void OutputStream::Discard() {
  discard_ = true;
  Pump();
}

void OutputStream::ProcessEnded() {
  if (ended_ || timer_) return;
  timer_ = reactor_.After(kDrainTime, [this] {
    timer_.reset();
    int available = 0;
    ::ioctl(fd_.get(), FIONREAD, &available);
    left_ = static_cast<std::size_t>(std::max(available, 0));
    if (*left_ == 0) return End();
    Pump();
  });
}

// False when there is nothing to read now, or the stream has ended.
bool OutputStream::TryRead(std::string& data, std::size_t length) {
  if (ended_) return false;
  if (left_) length = std::min(length, *left_);
  if (length == 0) {
    End();
    return false;
  }
  data.resize(length);
  const ssize_t n = RetryOnEintr([&] { return ::read(fd_.get(), data.data(), length); });
  if (n < 0 && errno == EAGAIN) {
    data.clear();
    if (left_) End();
    return false;
  }
  if (n <= 0) {  // EIO: the last terminal of a pty is closed.
    data.clear();
    End();
    return false;
  }
  data.resize(static_cast<std::size_t>(n));
  if (left_) *left_ -= data.size();
  return true;
}

void OutputStream::Pump() {
  while (!reads_.empty()) {
    if (!reads_.front().reply.IsWanted()) {
      reads_.pop_front();
      continue;
    }
    grpc::ReadStreamResponse response;
    if (!ended_ && !TryRead(*response.mutable_data(), reads_.front().length)) break;
    ReadReply reply = std::move(reads_.front().reply);
    reads_.pop_front();
    reply.done(std::move(response));
  }
  if (discard_ && reads_.empty()) {
    std::string dropped;
    TryRead(dropped, kDiscardBytes);  // One piece: the reactor has others to serve.
  }
  UpdateWatch();
}

void OutputStream::UpdateWatch() {
  const bool wanted = !ended_ && (!reads_.empty() || discard_);
  if (wanted == watched_) return;
  if (!wanted) {
    reactor_.Unwatch(fd_.get());
    watched_ = false;
    return;
  }
  const auto watched = reactor_.Watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { Pump(); });
  watched_ = watched.has_value();
  if (!watched_) End();
}

void OutputStream::End() {
  if (std::exchange(ended_, true)) return;
  if (timer_) reactor_.Cancel(*std::exchange(timer_, std::nullopt));
  if (std::exchange(watched_, false)) reactor_.Unwatch(fd_.get());
  fd_.Reset();
  while (!reads_.empty()) {
    ReadReply reply = std::move(reads_.front().reply);
    reads_.pop_front();
    reply.done(grpc::ReadStreamResponse());
  }
  if (on_end_) on_end_();
}

}  // namespace kata_cc::agent
