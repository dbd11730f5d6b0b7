// SPDX-License-Identifier: Apache-2.0
#include "agent/process/input_stream.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "base/retry.h"

namespace kata_cc::agent {
namespace {

Error Closed() {
  return {Code::kFailedPrecondition, "write: stdin is closed"};
}

}  // namespace

InputStream::~InputStream() {
  Fail();
}

void InputStream::Write(std::string data, WriteReply reply) {
  if (!fd_.valid() || closing_) return reply.done(Closed());
  if (pending_bytes_ + data.size() > kMaxPendingBytes) {
    return reply.done(Error(Code::kResourceExhausted, "write: the process does not read"));
  }
  pending_bytes_ += data.size();
  writes_.push_back({std::move(data), 0, std::move(reply)});
  Pump();
}

void InputStream::Close() {
  closing_ = true;
  Pump();
}

void InputStream::Pump() {
  while (fd_.valid() && !writes_.empty()) {
    PendingWrite& write = writes_.front();
    const std::size_t left = write.data.size() - write.written;
    if (left > 0) {
      const ssize_t n =
          RetryOnEintr([&] { return ::write(fd_.get(), write.data.data() + write.written, left); });
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return Fail();
      write.written += static_cast<std::size_t>(n);
      if (write.written < write.data.size()) continue;
    }
    grpc::WriteStreamResponse response;
    response.set_len(static_cast<std::uint32_t>(write.data.size()));
    pending_bytes_ -= write.data.size();
    const WriteReply reply = std::move(write.reply);
    writes_.pop_front();
    reply.done(std::move(response));
  }
  if (closing_ && writes_.empty()) return Fail();
  UpdateWatch();
}

void InputStream::Fail() {
  if (watched_) reactor_.Unwatch(fd_.get());
  watched_ = false;
  fd_.Reset();
  while (!writes_.empty()) {
    const WriteReply reply = std::move(writes_.front().reply);
    writes_.pop_front();
    reply.done(Closed());
  }
  pending_bytes_ = 0;
}

void InputStream::UpdateWatch() {
  const bool wanted = fd_.valid() && !writes_.empty();
  if (wanted == watched_) return;
  if (!wanted) {
    reactor_.Unwatch(fd_.get());
    watched_ = false;
    return;
  }
  watched_ = reactor_.Watch(fd_.get(), EPOLLOUT, [this](std::uint32_t) { Pump(); }).has_value();
  if (!watched_) Fail();
}

}  // namespace kata_cc::agent
