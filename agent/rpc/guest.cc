// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/guest.h"

#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <string>

#include "base/file.h"
#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

grpc::GuestDetailsResponse GuestDetails(const grpc::GuestDetailsRequest& request, bool init) {
  grpc::GuestDetailsResponse response;
  if (request.mem_block_size()) {
    // Absent where memory cannot be plugged in; zero then, as in Kata.
    const auto content = ReadFile("/sys/devices/system/memory/block_size_bytes", 64);
    std::uint64_t bytes = 0;
    if (content) {
      const std::string text = AsString(*content);
      std::from_chars(text.data(), text.data() + text.size(), bytes, 16);
    }
    response.set_mem_block_size_bytes(bytes);
  }
  if (request.mem_hotplug_probe()) {
    response.set_support_mem_hotplug_probe(::access("/sys/devices/system/memory/probe", F_OK) == 0);
  }
  response.mutable_agent_details()->set_version(kAgentVersion);
  response.mutable_agent_details()->set_init_daemon(init);
  return response;
}

Result<void> SetDateTime(const grpc::SetGuestDateTimeRequest& request) {
  if (request.sec() < 0 || request.usec() < 0 || request.usec() >= 1'000'000) {
    return Error(Code::kInvalidArgument, "SetGuestDateTimeRequest: not a time");
  }
  const timeval time = {request.sec(), request.usec()};
  if (::settimeofday(&time, nullptr) != 0) return ErrnoError(errno, "settimeofday");
  return {};
}

Result<void> ReseedRandom(const grpc::ReseedRandomDevRequest& request) {
  const UniqueFd device = TRY(OpenFile("/dev/random", O_WRONLY));
  const std::string& data = request.data();
  const ssize_t n = RetryOnEintr([&] { return ::write(device.get(), data.data(), data.size()); });
  if (n < 0) return ErrnoError(errno, "write /dev/random");
  if (static_cast<std::size_t>(n) != data.size()) {
    return Error(Code::kDataLoss, "write /dev/random: short write");
  }
  if (::ioctl(device.get(), RNDRESEEDCRNG) != 0) return ErrnoError(errno, "RNDRESEEDCRNG");
  return {};
}

}  // namespace kata_cc::agent
