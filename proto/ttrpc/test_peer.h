// SPDX-License-Identifier: Apache-2.0
// For tests: a reactor on a thread of its own, and a peer that speaks raw frames.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/reactor.h"
#include "proto/ttrpc/frame.h"
#include "proto/ttrpc/ttrpc.pb.h"

namespace kata_cc::ttrpc {

inline std::pair<UniqueFd, UniqueFd> SocketPair() {
  int fds[2] = {-1, -1};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

class ReactorThread {
 public:
  ReactorThread() : reactor_(*Reactor::Create()) {
    thread_ = std::thread([this] { EXPECT_TRUE(reactor_->Run().has_value()); });
  }
  ReactorThread(const ReactorThread&) = delete;
  ReactorThread& operator=(const ReactorThread&) = delete;
  ~ReactorThread() { Stop(); }

  void Stop() {
    if (!thread_.joinable()) return;
    reactor_->Post([this] { reactor_->Stop(); });
    thread_.join();
  }

  // Runs task on the reactor's thread and waits for it.
  void Run(const std::function<void()>& task) {
    std::promise<void> done;
    reactor_->Post([&] {
      task();
      done.set_value();
    });
    done.get_future().get();
  }

  Reactor& reactor() { return *reactor_; }

 private:
  std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
};

// The other end of a stream: blocking, byte by byte under the test's control.
class RawPeer {
 public:
  RawPeer() = default;
  explicit RawPeer(UniqueFd fd) : fd_(std::move(fd)) {}

  void Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      const ssize_t written =
          n < 0 && errno == ENOTSOCK ? ::write(fd_.get(), bytes.data(), bytes.size()) : n;
      if (written <= 0) return;  // What the peer thinks of it is read.
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  static std::string Frame(std::uint32_t stream_id, std::uint8_t type, const std::string& data) {
    std::string frame(kHeaderBytes, '\0');
    EncodeHeader({static_cast<std::uint32_t>(data.size()), stream_id, type, 0}, frame.data());
    return frame + data;
  }

  static std::string RequestFrame(std::uint32_t stream_id, const std::string& service,
                                  const std::string& method, const std::string& payload,
                                  std::int64_t timeout_nano = 0) {
    ::ttrpc::Request request;
    request.set_service(service);
    request.set_method(method);
    request.set_payload(payload);
    request.set_timeout_nano(timeout_nano);
    return Frame(stream_id, kRequestFrame, request.SerializeAsString());
  }

  struct Received {
    FrameHeader header;
    std::string data;
    ::ttrpc::Response response;
  };

  // The next frame, within a time that is far beyond what it takes; none at the end of the stream.
  std::optional<Received> Read(std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    while (true) {
      std::string_view input = input_;
      auto frame = parser_.Next(&input);
      EXPECT_TRUE(frame.has_value());
      if (!frame) return std::nullopt;
      std::optional<Received> received;
      if (*frame) {
        received = Received{(*frame)->header, std::string((*frame)->data), {}};
        EXPECT_TRUE(received->response.ParseFromString(received->data));
      }
      input_.erase(0, input_.size() - input.size());
      if (received) return received;
      pollfd poll = {fd_.get(), POLLIN, 0};
      if (::poll(&poll, 1, static_cast<int>(patience.count())) != 1) return std::nullopt;
      char buffer[65536];
      const ssize_t n = ::read(fd_.get(), buffer, sizeof(buffer));
      if (n <= 0) return std::nullopt;
      input_.append(buffer, static_cast<std::size_t>(n));
    }
  }

  // Whether the other side ends the stream, without another frame.
  bool AtEnd() {
    pollfd poll = {fd_.get(), POLLIN, 0};
    if (::poll(&poll, 1, 20'000) != 1) return false;
    char c = 0;
    return ::read(fd_.get(), &c, 1) <= 0;
  }

  int fd() const { return fd_.get(); }
  void Close() { fd_.Reset(); }

 private:
  UniqueFd fd_;
  std::string input_;
  FrameParser parser_;
};

}  // namespace kata_cc::ttrpc
