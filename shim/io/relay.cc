// SPDX-License-Identifier: Apache-2.0
#include "shim/io/relay.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/retry.h"

namespace kata_cc::shim {
namespace {

constexpr std::uint32_t kReadBytes = 64U << 10;  // What a FIFO holds by default.
constexpr std::size_t kStdinBytes = 32U << 10;   // As Kata's runtime.

}  // namespace

std::shared_ptr<OutputRelay> OutputRelay::Start(Reactor& reactor, UniqueFd sink, Read read,
                                                Ended ended) {
  std::shared_ptr<OutputRelay> relay(
      new OutputRelay(reactor, std::move(sink), std::move(read), std::move(ended)));
  relay->RequestNext();
  return relay;
}

void OutputRelay::RequestNext() {
  read_(kReadBytes,
        [self = shared_from_this()](Result<std::string> data) { self->OnData(std::move(data)); });
}

void OutputRelay::OnData(Result<std::string> data) {
  if (ended_flag_) return;
  if (!data) return End(&data.error());
  if (data->empty()) return End(nullptr);
  pending_ = *std::move(data);
  written_ = 0;
  Write();
}

void OutputRelay::Write() {
  while (sink_.valid() && written_ < pending_.size()) {
    const ssize_t n = RetryOnEintr([&] {
      return ::write(sink_.get(), pending_.data() + written_, pending_.size() - written_);
    });
    if (n >= 0) {
      written_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      if (watching_) return;
      watching_ = reactor_
                      .Watch(sink_.get(), EPOLLOUT,
                             [self = shared_from_this()](std::uint32_t) { self->Write(); })
                      .has_value();
      if (watching_) return;
      sink_.Reset();
    } else {
      sink_.Reset();  // Nobody can get it any more; the process in the guest must still run on.
    }
  }
  if (watching_) {
    // Unwatch drops the callback, which may hold the last reference to this relay.
    const auto self = shared_from_this();
    if (sink_.valid()) reactor_.Unwatch(sink_.get());
    watching_ = false;
    return RequestNext();
  }
  RequestNext();
}

void OutputRelay::Cancel() {
  const auto self = shared_from_this();
  if (!ended_flag_) End(nullptr);
}

void OutputRelay::End(const Error* error) {
  const auto self = shared_from_this();
  ended_flag_ = true;
  if (watching_) reactor_.Unwatch(sink_.get());
  watching_ = false;
  sink_.Reset();  // The client's reader sees the end of file.
  if (const Ended ended = std::exchange(on_ended_, nullptr)) ended(error);
}

std::shared_ptr<InputRelay> InputRelay::Start(Reactor& reactor, UniqueFd source, UniqueFd keeper,
                                              Write write, std::function<void()> close) {
  std::shared_ptr<InputRelay> relay(new InputRelay(reactor, std::move(source), std::move(keeper),
                                                   std::move(write), std::move(close)));
  relay->Listen();
  return relay;
}

void InputRelay::Listen() {
  watching_ = reactor_
                  .Watch(source_.get(), EPOLLIN,
                         [self = shared_from_this()](std::uint32_t) { self->OnReadable(); })
                  .has_value();
  if (!watching_) Stop();
}

void InputRelay::Unlisten() {
  if (watching_) reactor_.Unwatch(source_.get());
  watching_ = false;
}

void InputRelay::OnReadable() {
  const auto self = shared_from_this();
  std::string data(kStdinBytes, '\0');
  const ssize_t n = RetryOnEintr([&] { return ::read(source_.get(), data.data(), data.size()); });
  if (n < 0 && errno == EAGAIN) return;
  Unlisten();  // Until the guest has taken what was read.
  if (n <= 0) {
    close_();
    return Stop();
  }
  data.resize(static_cast<std::size_t>(n));
  Send(std::move(data));
}

void InputRelay::Send(std::string data) {
  std::string copy = data;
  write_(std::move(copy), [self = shared_from_this(),
                           data = std::move(data)](const Result<std::uint32_t>& taken) mutable {
    if (self->stopped_) return;
    // An error, or a guest that takes nothing: the process is gone or the policy refuses stdin.
    if (!taken || *taken == 0) return self->Stop();
    if (*taken < data.size()) return self->Send(data.substr(*taken));
    self->Listen();
  });
}

void InputRelay::Stop() {
  const auto self = shared_from_this();
  stopped_ = true;
  Unlisten();
  source_.Reset();
  keeper_.Reset();
}

}  // namespace kata_cc::shim
