// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets/channel.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "base/retry.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kHead = 5;
constexpr int kPatienceSeconds = 120;

struct Frame {
  std::uint8_t kind = 0;
  Secret bytes;
};

bool SendAll(int socket, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        RetryOnEintr([&] { return ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool ReceiveAll(int socket, std::span<std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        RetryOnEintr([&] { return ::recv(socket, bytes.data(), bytes.size(), MSG_WAITALL); });
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool SendFrame(int socket, std::uint8_t kind, ByteView bytes) {
  std::array<std::uint8_t, kHead> head{};
  for (std::size_t i = 0; i < 4; ++i)
    head[i] = static_cast<std::uint8_t>(bytes.size() >> (8 * i));
  head[4] = kind;
  return SendAll(socket, head) && SendAll(socket, bytes);
}

// None: the end, a length beyond the limit, or no memory to lock for it.
std::optional<Frame> ReceiveFrame(int socket) {
  std::array<std::uint8_t, kHead> head{};
  if (!ReceiveAll(socket, head)) return std::nullopt;
  std::size_t size = 0;
  for (std::size_t i = 0; i < 4; ++i)
    size |= std::size_t{head[i]} << (8 * i);
  if (size > kMaxCallBytes) return std::nullopt;
  Result<Secret> bytes = Secret::Make(size);
  if (!bytes || !ReceiveAll(socket, bytes->bytes())) return std::nullopt;
  return Frame{head[4], *std::move(bytes)};
}

}  // namespace

CallChannel::CallChannel(UniqueFd socket) : socket_(std::move(socket)) {
  const timeval patience = {kPatienceSeconds, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

void CallChannel::Close() {
  ::shutdown(socket_.get(), SHUT_RDWR);
}

Result<Secret> CallChannel::Call(Ask what, ByteView bytes) {
  const std::lock_guard lock(mutex_);
  if (broken_) return Error(Code::kUnavailable, "secrets: the process for them has ended");
  Result<Secret> answer = Exchange(what, bytes);
  // An answer that comes too late must not be taken for that of the next call.
  if (!answer && broken_) Close();
  return answer;
}

Result<Secret> CallChannel::Exchange(Ask what, ByteView bytes) {
  if (bytes.size() > kMaxCallBytes) {
    return Error(Code::kResourceExhausted, "secrets: a call that is too large");
  }
  broken_ = true;
  if (!SendFrame(socket_.get(), static_cast<std::uint8_t>(what), bytes)) {
    return Error(Code::kUnavailable, "secrets: the process for them has ended");
  }
  std::optional<Frame> frame = ReceiveFrame(socket_.get());
  if (!frame || frame->kind > static_cast<int>(Code::kDataLoss)) {
    return Error(Code::kUnavailable, "secrets: the process for them gives no answer");
  }
  broken_ = false;
  if (frame->kind == 0) return std::move(frame->bytes);
  return Error(static_cast<Code>(frame->kind), std::string(frame->bytes.text()));
}

void AnswerCalls(int socket, const Answer& answer) {
  while (const std::optional<Frame> frame = ReceiveFrame(socket)) {
    const Result<Secret> out = answer(static_cast<Ask>(frame->kind), frame->bytes);
    const bool sent = out ? SendFrame(socket, 0, out->view())
                          : SendFrame(socket, static_cast<std::uint8_t>(out.error().code()),
                                      AsBytes(out.error().message()));
    if (!sent) return;
  }
}

}  // namespace kata_cc::agent
