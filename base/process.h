// SPDX-License-Identifier: Apache-2.0
// ChildProcess: owns a child through its pidfd; kills and reaps it when dropped.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc {

// What a child gets besides its arguments. -1: as the parent's. The descriptors stay the caller's.
// Signals are the child's own again: none blocked, none ignored.
struct SpawnOptions {
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
};

class ChildProcess {
 public:
  static Result<ChildProcess> Spawn(const std::vector<std::string>& argv,
                                    const SpawnOptions& options = {});
  ChildProcess(ChildProcess&& other) noexcept = default;
  ChildProcess& operator=(ChildProcess&& other) = delete;
  ~ChildProcess();

  Result<int> Wait();  // Blocks; returns the exit status, or 128 + signal.
  int pidfd() const { return pidfd_.get(); }

 private:
  explicit ChildProcess(UniqueFd pidfd) : pidfd_(std::move(pidfd)) {}
  UniqueFd pidfd_;
};

}  // namespace kata_cc
