// SPDX-License-Identifier: Apache-2.0
#include "agent/process/stdio.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/retry.h"

namespace kata_cc::agent {
namespace {

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> MakePipe() {
  std::array<int, 2> ends = {-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Of this end only: the other one is the process's, and blocks.
Result<void> SetNonBlocking(const UniqueFd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError(errno, "fcntl");
  }
  return {};
}

Result<UniqueFd> Duplicate(const UniqueFd& fd) {
  UniqueFd copy(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return ErrnoError(errno, "dup");
  return copy;
}

Result<UniqueFd> ReceiveFd(const UniqueFd& connection) {
  std::array<char, 256> name = {};
  iovec data = {name.data(), name.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 4)> control = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = RetryOnEintr(
      [&] { return ::recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
  if (n < 0) return ErrnoError(errno, "console socket: receive");
  UniqueFd received;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
      received.Reset(fd);  // The last of them; a runtime sends one.
    }
  }
  if (!received.valid() || ::isatty(received.get()) == 0) {
    return Error(Code::kFailedPrecondition, "console socket: the runtime sent no terminal");
  }
  return received;
}

}  // namespace

Result<std::pair<Stdio, ChildStdio>> MakePipes() {
  Pipe input = TRY(MakePipe());
  Pipe output = TRY(MakePipe());
  Pipe error = TRY(MakePipe());
  Stdio ours;
  ours.input = std::move(input.write_end);
  ours.output = std::move(output.read_end);
  ours.error = std::move(error.read_end);
  for (const UniqueFd* fd : {&ours.input, &ours.output, &ours.error})
    TRY(SetNonBlocking(*fd));
  ChildStdio child{std::move(input.read_end), std::move(output.write_end),
                   std::move(error.write_end)};
  return std::pair<Stdio, ChildStdio>(std::move(ours), std::move(child));
}

Result<ConsoleSocket> ConsoleSocket::Create(std::string path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error(Code::kInvalidArgument, "console socket: the path is too long");
  }
  path.copy(address.sun_path, path.size());
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return ErrnoError(errno, "console socket");
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, "console socket: " + path);
  }
  ConsoleSocket socket(std::move(path), std::move(listener));
  if (::chmod(socket.path_.c_str(), 0600) != 0 || ::listen(socket.listener_.get(), 1) != 0) {
    return ErrnoError(errno, "console socket: listen");
  }
  return socket;
}

ConsoleSocket::~ConsoleSocket() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

Result<Stdio> ConsoleSocket::Receive() {
  const UniqueFd connection(
      RetryOnEintr([&] { return ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC); }));
  if (!connection.valid()) {
    return Error(Code::kFailedPrecondition, "console socket: the runtime did not connect");
  }
  Stdio stdio;
  stdio.console = TRY(ReceiveFd(connection));
  TRY(SetNonBlocking(stdio.console));
  stdio.input = TRY(Duplicate(stdio.console));
  stdio.output = TRY(Duplicate(stdio.console));
  return stdio;
}

Result<void> ResizeTerminal(int console, unsigned rows, unsigned columns) {
  constexpr unsigned kMax = std::numeric_limits<unsigned short>::max();
  if (rows > kMax || columns > kMax) {
    return Error(Code::kInvalidArgument, "resize: not a terminal's size");
  }
  winsize size = {};
  size.ws_row = static_cast<unsigned short>(rows);
  size.ws_col = static_cast<unsigned short>(columns);
  if (::ioctl(console, TIOCSWINSZ, &size) != 0) return ErrnoError(errno, "resize");
  return {};
}

}  // namespace kata_cc::agent
