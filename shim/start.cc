// SPDX-License-Identifier: Apache-2.0
// `start`: answers with the address of the sandbox's shim, and starts that shim if there is none.
// containerd reads stdout and stderr of it as one pipe until its end: the answer, or the error.
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/file.h"
#include "base/retry.h"
#include "proto/oci/spec.h"
#include "shim/entry.h"

namespace kata_cc::shim {
namespace {

constexpr int kReadyTimeoutMs = 10000;
constexpr int kListenerFd = 3;  // What the serving process finds open, besides stdio.
constexpr int kReadyFd = 4;

Result<UniqueFd> Bind(const std::string& path) {
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), std::min(path.size(), sizeof name.sun_path - 1));
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const int error = errno;
  ::umask(mask);
  if (bound != 0) return ErrnoError(error, "bind " + path);
  if (::listen(fd.get(), SOMAXCONN) != 0) {
    ::unlink(path.c_str());
    return ErrnoError(errno, "listen on " + path);
  }
  return fd;
}

// In the child, between fork and exec: only async-signal-safe calls.
[[noreturn]] void ExecServe(const std::vector<char*>& argv, int listener, int ready) {
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR);
  // Out of the way first, so that neither is overwritten by the other's place.
  listener = ::fcntl(listener, F_DUPFD, 10);
  ready = ::fcntl(ready, F_DUPFD, 10);
  for (const int fd : {0, 1, 2})
    ::dup2(null, fd);
  ::dup2(listener, kListenerFd);
  ::dup2(ready, kReadyFd);
  ::close_range(kReadyFd + 1, ~0U, 0);
  ::execv("/proc/self/exe", argv.data());
  ::_exit(127);
}

// Waits for the serving process's word: empty for ready, else its error.
Result<void> AwaitReady(int fd) {
  std::string text;
  pollfd watched = {fd, POLLIN, 0};
  for (;;) {
    const int n = RetryOnEintr([&] { return ::poll(&watched, 1, kReadyTimeoutMs); });
    if (n == 0) return Error(Code::kDeadlineExceeded, "the shim did not become ready");
    std::array<char, 512> buffer = {};
    const ssize_t got = RetryOnEintr([&] { return ::read(fd, buffer.data(), buffer.size()); });
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  if (text == "ok") return {};
  return Error(Code::kInternal, text.empty() ? "the shim ended while it started" : text);
}

// Out of memory, the shim goes before containerd, whose score it inherited. Not all may change it.
void RaiseOomScore() {
  constexpr char kPath[] = "/proc/self/oom_score_adj";
  constexpr int kMaxScore = 1000;
  const auto text = ReadFile(kPath, 32);
  if (!text) return;
  const int score = std::atoi(AsString(*text).c_str());
  const std::string raised = std::to_string(std::min(score + 1, kMaxScore));
  (void)WriteFile(kPath, AsBytes(raised));
}

Result<void> StartServer(const Arguments& arguments, const std::string& sandbox_id,
                         const std::string& socket, UniqueFd listener) {
  std::array<int, 2> ends = {};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return ErrnoError(errno, "pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  std::vector<std::string> words = {"containerd-shim-kata-cc-v2",
                                    "-namespace",
                                    arguments.containerd_namespace,
                                    "-address",
                                    arguments.address,
                                    "-publish-binary",
                                    arguments.publish_binary,
                                    "-id",
                                    sandbox_id,
                                    "-socket",
                                    socket};
  if (arguments.debug) words.emplace_back("-debug");
  std::vector<char*> argv;
  for (std::string& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  RaiseOomScore();
  const pid_t child = ::fork();
  if (child < 0) return ErrnoError(errno, "fork");
  if (child == 0) ExecServe(argv, listener.get(), write_end.get());
  write_end.Reset();
  if (auto ready = AwaitReady(read_end.get()); !ready) {
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    return ready;
  }
  return {};
}

Result<void> WriteAddress(const std::string& address) {
  // containerd 1.6 and 1.7 find the shim by this file after a restart; the bundle is our directory.
  const char* const temporary = ".address";
  {
    const UniqueFd fd = TRY(OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    if (::write(fd.get(), address.data(), address.size()) != static_cast<ssize_t>(address.size()))
      return ErrnoError(errno, "write the address file");
  }
  if (::rename(temporary, "address") != 0) return ErrnoError(errno, "write the address file");
  return {};
}

Result<std::string> Start(const Arguments& arguments) {
  const grpc::Spec spec = TRY(oci::ReadBundleSpec("."));
  const PodIdentity identity = TRY(ReadPodIdentity(spec.annotations(), arguments.id));
  const SandboxPaths paths = PathsOf(arguments, identity.sandbox_id);
  const std::string address = "unix://" + paths.socket;
  const std::string directory = paths.socket.substr(0, paths.socket.find_last_of('/'));
  for (const std::string& path : {std::string("/run/containerd"), directory})
    if (::mkdir(path.c_str(), 0711) != 0 && errno != EEXIST) return ErrnoError(errno, path);
  // Two at once take turns, from looking to the written address; the lock leaves no file behind.
  UniqueFd lock = TRY(OpenFile(directory, O_RDONLY | O_DIRECTORY));
  if (RetryOnEintr([&] { return ::flock(lock.get(), LOCK_EX); }) != 0)
    return ErrnoError(errno, directory);
  if (ConnectSocket(paths.socket)) {
    (void)TRY(WriteAddress(address));
    return address;
  }
  if (identity.type == ContainerType::kInPod)
    return Error(Code::kFailedPrecondition,
                 "sandbox " + identity.sandbox_id + ": no shim serves it");
  ::unlink(paths.socket.c_str());  // Left by one that was killed: nobody answers there.
  UniqueFd listener = TRY(Bind(paths.socket));
  (void)TRY(WriteAddress(address));
  lock.Reset();
  auto started = StartServer(arguments, identity.sandbox_id, paths.socket, std::move(listener));
  if (!started) {
    ::unlink(paths.socket.c_str());
    ::unlink("address");
    return std::move(started).error();
  }
  return address;
}

}  // namespace

int RunStart(const Arguments& arguments) {
  const Result<std::string> address = Start(arguments);
  if (!address) {
    std::fprintf(stderr, "kata-cc: %s\n", address.error().message().c_str());
    return 1;
  }
  std::printf("%s\n", address->c_str());
  return 0;
}

}  // namespace kata_cc::shim
