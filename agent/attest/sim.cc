// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/sim.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <span>
#include <thread>
#include <utility>

#include "agent/boot/transport.h"
#include "base/retry.h"
#include "proto/snp/sim/wire.h"

namespace kata_cc::agent {
namespace {

namespace sim = snp::sim;
using Clock = std::chrono::steady_clock;

class Port {
 public:
  Port(int fd, Clock::time_point deadline) : fd_(fd), deadline_(deadline) {}

  Result<void> Write(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t n = RetryOnEintr([&] { return ::write(fd_, bytes.data(), bytes.size()); });
      if (n < 0 && errno != EAGAIN) return ErrnoError(errno, "write to the simulator");
      if (n < 0) {
        TRY(WaitFor(POLLOUT));
      } else {
        bytes = bytes.subspan(static_cast<std::size_t>(n));
      }
    }
    return {};
  }

  Result<void> Read(std::span<std::uint8_t> bytes) {
    while (!bytes.empty()) {
      TRY(WaitFor(POLLIN));
      const ssize_t n = RetryOnEintr([&] { return ::read(fd_, bytes.data(), bytes.size()); });
      if (n < 0 && errno != EAGAIN) return ErrnoError(errno, "read from the simulator");
      // A virtio-serial port has no end: nothing to read is a host that is not there yet.
      if (n <= 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      } else {
        bytes = bytes.subspan(static_cast<std::size_t>(n));
      }
    }
    return {};
  }

 private:
  Result<void> WaitFor(short events) {
    pollfd waiting = {fd_, events, 0};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    const int n =
        left <= 0 ? 0 : RetryOnEintr([&] { return ::poll(&waiting, 1, static_cast<int>(left)); });
    if (n < 0) return ErrnoError(errno, "poll the simulator");
    if (n == 0) return Error(Code::kDeadlineExceeded, "the simulator does not answer");
    return {};
  }

  const int fd_;
  const Clock::time_point deadline_;
};

class Sim : public Attester {
 public:
  Sim(UniqueFd port, std::chrono::milliseconds timeout)
      : port_(std::move(port)), timeout_(timeout) {}
  std::string_view name() const override { return "the simulator"; }

 private:
  Result<Raw> Fetch(const ReportData& report_data) override {
    const std::lock_guard lock(mutex_);
    // Where an answer broke off, the next one cannot be told from its rest.
    if (broken_) return Error(Code::kUnavailable, "its stream broke off before");
    broken_ = true;
    Port port(port_.get(), Clock::now() + timeout_);
    const sim::Request request = {++sequence_, report_data};
    TRY(port.Write(sim::EncodeRequest(request)));
    snp::ByteArray<sim::kResponseHeaderSize> bytes{};
    TRY(port.Read(bytes));
    const sim::ResponseHeader header = TRY(sim::ParseResponseHeader(bytes));
    Bytes payload(header.length);
    TRY(port.Read(payload));
    if (header.sequence != request.sequence) {
      return Error(Code::kDataLoss, "it answers another request");
    }
    broken_ = false;
    if (header.status != 0) {
      return Error(Code::kUnavailable, AsString(payload).substr(0, 512));
    }
    if (payload.size() < snp::kReportSize) return Error(Code::kDataLoss, "the report is cut");
    const auto split = payload.begin() + snp::kReportSize;
    return Raw{Bytes(payload.begin(), split), Bytes(split, payload.end())};
  }

  const UniqueFd port_;
  const std::chrono::milliseconds timeout_;
  std::mutex mutex_;
  std::uint64_t sequence_ = 0;
  bool broken_ = false;
};

}  // namespace

Result<UniqueFd> OpenSimPort(const std::string& root) {
  const std::string device = TRY(FindVirtioPort(root + "/sys/class/virtio-ports", sim::kPortName));
  return OpenFile(root + device, O_RDWR | O_NONBLOCK);
}

Result<UniqueFd> ConnectSimSocket(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error(Code::kInvalidArgument, "simulator: the socket's path is too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "simulator: socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, "simulator: connect " + path);
  }
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoError(errno, "simulator: fcntl");
  return fd;
}

std::unique_ptr<Attester> SimAttester(UniqueFd port, std::chrono::milliseconds timeout) {
  return std::make_unique<Sim>(std::move(port), timeout);
}

}  // namespace kata_cc::agent
