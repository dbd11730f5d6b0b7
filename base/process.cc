// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/retry.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc {

Result<ChildProcess> ChildProcess::Spawn(const std::vector<std::string>& argv,
                                         const SpawnOptions& options) {
  std::vector<char*> raw;
  raw.reserve(argv.size() + 1);
  for (const std::string& argument : argv)
    raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  const std::pair<int, int> redirects[] = {{options.stdin_fd, STDIN_FILENO},
                                           {options.stdout_fd, STDOUT_FILENO},
                                           {options.stderr_fd, STDERR_FILENO}};
  for (const auto& [from, to] : redirects) {
    if (from >= 0) ::posix_spawn_file_actions_adddup2(&actions, from, to);
  }
  // What this process ignores or blocks is no business of the child's.
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t signals;
  ::sigfillset(&signals);
  ::posix_spawnattr_setsigdefault(&attributes, &signals);
  ::sigemptyset(&signals);
  ::posix_spawnattr_setsigmask(&attributes, &signals);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, raw[0], &actions, &attributes, raw.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return ErrnoError(error, argv[0]);
  UniqueFd pidfd(::pidfd_open(pid, 0));  // Not yet reaped, so the pid cannot have been reused.
  if (!pidfd.valid()) return ErrnoError(errno, "pidfd_open");
  return ChildProcess(std::move(pidfd));
}

ChildProcess::~ChildProcess() {
  if (!pidfd_.valid()) return;
  ::pidfd_send_signal(pidfd_.get(), SIGKILL, nullptr, 0);
  siginfo_t info = {};
  RetryOnEintr([&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED); });
}

Result<int> ChildProcess::Wait() {
  siginfo_t info = {};
  const int rc = RetryOnEintr(
      [&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED); });
  if (rc != 0) return ErrnoError(errno, "waitid");
  pidfd_.Reset();
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace kata_cc
