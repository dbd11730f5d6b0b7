// SPDX-License-Identifier: Apache-2.0
#include "agent/api/server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/retry.h"
#include "base/unique_fd.h"
#include "base/worker_pool.h"

namespace kata_cc::agent {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kThreads = 4;

Result<UniqueFd> ListenOn(int port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "local API: socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, "local API: bind");
  }
  if (::listen(fd.get(), 16) != 0) return ErrnoError(errno, "local API: listen");
  return fd;
}

bool IsLoopback(int fd) {
  sockaddr_in peer = {};
  socklen_t size = sizeof(peer);
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
         peer.sin_family == AF_INET && (ntohl(peer.sin_addr.s_addr) >> 24) == 127;
}

bool WaitFor(int fd, short events, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd waiting = {fd, events, 0};
  return left > 0 && RetryOnEintr([&] { return ::poll(&waiting, 1, static_cast<int>(left)); }) == 1;
}

bool Send(int fd, ByteView bytes, Clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t n = RetryOnEintr(
        [&] { return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT); });
    if (n < 0 && errno != EAGAIN) return false;
    if (n < 0 && !WaitFor(fd, POLLOUT, deadline)) return false;
    if (n > 0) bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

// None: the peer is gone or too slow, and gets no answer.
std::optional<Result<http::Request>> Receive(int fd, Clock::time_point deadline) {
  std::string bytes;
  while (true) {
    Result<std::optional<http::Request>> request = http::ParseRequest(bytes);
    if (!request) return std::move(request).error();
    if (*request) return **std::move(request);
    if (!WaitFor(fd, POLLIN, deadline)) return std::nullopt;
    char buffer[4096];
    const ssize_t n =
        RetryOnEintr([&] { return ::recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT); });
    if (n == 0 || (n < 0 && errno != EAGAIN)) return std::nullopt;
    if (n > 0) bytes.append(buffer, static_cast<std::size_t>(n));
  }
}

void Reply(int fd, const ApiResponse& response, Clock::time_point deadline) {
  const ByteView body = response.secret ? response.secret->view() : AsBytes(response.body);
  std::string head = "HTTP/1.1 " + std::to_string(response.status) +
                     (response.status == 200 ? " OK\r\n" : " Error\r\n");
  if (!response.content_type.empty()) head += "Content-Type: " + response.content_type + "\r\n";
  head += "Content-Length: " + std::to_string(body.size()) +
          "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n";
  if (Send(fd, AsBytes(head), deadline)) Send(fd, body, deadline);
}

class Server : public ApiServer {
 public:
  Server(ApiHandler& handler, Options options, UniqueFd wakeup)
      : handler_(handler), options_(options), wakeup_(std::move(wakeup)), pool_(kThreads) {}
  ~Server() override {
    const std::lock_guard lock(mutex_);
    Stop();
  }

  Result<void> Listen(bool wanted) override {
    const std::lock_guard lock(mutex_);
    if (wanted == thread_.joinable()) return {};
    if (!wanted) {
      Stop();
      Log(LogLevel::kInfo, "the local API is off");
      return {};
    }
    listener_ = TRY(ListenOn(options_.port));
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Accept(); });
    Log(LogLevel::kInfo, "the local API is on");
    return {};
  }
  int port() const override { return port_; }

 private:
  // The mutex is held.
  void Stop() {
    if (!thread_.joinable()) return;
    ::eventfd_write(wakeup_.get(), 1);
    thread_.join();
    eventfd_t value = 0;
    ::eventfd_read(wakeup_.get(), &value);
    listener_.Reset();
    port_ = 0;
  }

  void Accept() {
    while (true) {
      pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {wakeup_.get(), POLLIN, 0}};
      if (RetryOnEintr([&] { return ::poll(waiting, 2, -1); }) < 0) return;
      if (waiting[1].revents != 0) return;
      UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client.valid()) {
        // Out of descriptors, perhaps: no reason to spin.
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        continue;
      }
      if (connections_ >= options_.max_connections) continue;  // Closed: there are too many.
      ++connections_;
      auto shared = std::make_shared<UniqueFd>(std::move(client));  // A task is copyable.
      pool_.Post([this, shared] {
        Serve(shared->get());
        shared->Reset();
        --connections_;
      });
    }
  }

  void Serve(int fd) {
    const auto request = Receive(fd, Clock::now() + options_.patience);
    if (!request) return;
    ApiResponse response;
    if (!*request) {
      response.status = request->error().code() == Code::kResourceExhausted ? 413 : 400;
      response.body = "BAD REQUEST";
    } else {
      response = handler_.Handle(**request, IsLoopback(fd));
    }
    Reply(fd, response, Clock::now() + options_.patience);
    ::shutdown(fd, SHUT_WR);
  }

  ApiHandler& handler_;
  const Options options_;
  const UniqueFd wakeup_;
  std::mutex mutex_;
  UniqueFd listener_;
  std::thread thread_;
  std::atomic<int> port_ = 0;
  std::atomic<int> connections_ = 0;
  WorkerPool pool_;  // Last: its end waits for what uses the others.
};

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::Create(ApiHandler& handler, Options options) {
  UniqueFd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wakeup.valid()) return ErrnoError(errno, "local API: eventfd");
  return std::unique_ptr<ApiServer>(std::make_unique<Server>(handler, options, std::move(wakeup)));
}

}  // namespace kata_cc::agent
