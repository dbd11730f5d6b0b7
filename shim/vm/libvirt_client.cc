// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/libvirt_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <utility>

#include "base/retry.h"
#include "shim/vm/libvirt_wire.h"

namespace kata_cc::shim {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

std::string LibvirtProgram() {
  std::array<char, PATH_MAX> self = {};
  const ssize_t length = ::readlink("/proc/self/exe", self.data(), self.size());
  const std::string path(self.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return path.substr(0, path.rfind('/') + 1) + "kata-cc-libvirt";
}

LibvirtClient::LibvirtClient(std::string uri, std::string program, LibvirtLimits limits)
    : uri_(std::move(uri)), program_(std::move(program)), limits_(limits) {}

Result<void> LibvirtClient::Start(const std::string& domain_xml) {
  TRY(Call("start", limits_.start, "", domain_xml));
  return {};
}

Result<void> LibvirtClient::StartPaused(const std::string& domain_xml) {
  TRY(Call("start-paused", limits_.start, "", domain_xml));
  return {};
}

Result<void> LibvirtClient::Resume(const std::string& name) {
  TRY(Call("resume", limits_.other, name));
  return {};
}

Result<std::string> LibvirtClient::Describe(const std::string& name) {
  return Call("describe", limits_.other, name);
}

Result<void> LibvirtClient::Attach(const std::string& name, const std::string& device_xml) {
  TRY(Call("attach", limits_.other, name, device_xml));
  return {};
}

Result<void> LibvirtClient::Detach(const std::string& name, const std::string& device_xml) {
  TRY(Call("detach", limits_.other, name, device_xml));
  return {};
}

Result<void> LibvirtClient::Destroy(const std::string& name) {
  TRY(Call("destroy", limits_.destroy, name));
  return {};
}

Result<unsigned long> LibvirtClient::Version() {
  const std::string text = TRY(Call("version", limits_.other));
  unsigned long version = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc()) return Error(Code::kInternal, "libvirt: no version");
  return version;
}

void LibvirtClient::Close() {
  socket_.Reset();  // Its end, if it waits for nothing.
  process_.reset();
}

Result<void> LibvirtClient::Run() {
  std::array<int, 2> ends = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return ErrnoError(errno, "libvirt: socketpair");
  UniqueFd ours(ends[0]);
  const UniqueFd theirs(ends[1]);
  ChildProcess process = TRY_CONTEXT(
      ChildProcess::Spawn({program_}, {.stdin_fd = theirs.get(), .stdout_fd = -1, .stderr_fd = -1}),
      "libvirt");
  socket_ = std::move(ours);
  process_.emplace(std::move(process));
  return {};
}

Result<std::string> LibvirtClient::Call(std::string_view verb, std::chrono::milliseconds limit,
                                        const std::string& name, const std::string& xml) {
  if (!process_) TRY(Run());
  const std::string request = Encode(libvirt_wire::Request{std::string(verb), uri_, name, xml});
  const Result<std::string> bytes = Exchange(request, limit);
  if (bytes) return libvirt_wire::DecodeAnswer(*bytes);
  Close();
  return bytes.error();
}

Result<std::string> LibvirtClient::Exchange(const std::string& request,
                                            std::chrono::milliseconds limit) {
  if (RetryOnEintr(
          [&] { return ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL); }) < 0)
    return ErrnoError(errno, "libvirt: " + program_);
  const auto deadline = Clock::now() + limit;
  pollfd answer = {socket_.get(), POLLIN, 0};
  const int ready = RetryOnEintr([&] {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    return ::poll(&answer, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  });
  if (ready < 0) return ErrnoError(errno, "libvirt: poll");
  if (ready == 0) return Error(Code::kDeadlineExceeded, "libvirt does not answer");
  std::string bytes(libvirt_wire::kMaxMessageBytes, '\0');
  const ssize_t size =
      RetryOnEintr([&] { return ::recv(socket_.get(), bytes.data(), bytes.size(), 0); });
  if (size < 0) return ErrnoError(errno, "libvirt: " + program_);
  if (size == 0) return Error(Code::kUnavailable, "libvirt: " + program_ + ": ended");
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

}  // namespace kata_cc::shim
