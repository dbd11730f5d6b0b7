// SPDX-License-Identifier: Apache-2.0
// Cgroup: one container's control group (cgroup v2, Linux Documentation/admin-guide/cgroup-v2).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

// Any thread. Holds nothing but the path: the OCI runtime makes and removes the group.
class Cgroup {
 public:
  explicit Cgroup(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }

  // As Kata reports a container's. A file that a controller does not have (absent hardware, an
  // older kernel) leaves its fields zero; NotFound when the group itself is gone.
  Result<grpc::CgroupStats> Stats() const;

  // Blocks until all of it stands still, or DeadlineExceeded; then it is thawed again.
  Result<void> Freeze(std::chrono::milliseconds patience) const;
  Result<void> Thaw() const;

  // SIGKILL to each process. No error when the group is gone.
  Result<void> Kill() const;
  // Blocks until no process is left in it, or the group itself is gone; false: still some.
  bool WaitUntilEmpty(std::chrono::milliseconds patience) const;
  // Removes the group, and those below it, if they are empty. No error when it is gone.
  Result<void> Remove() const;

  // How often the kernel killed one of its processes for memory; zero when unknown.
  std::uint64_t OomKills() const;
  std::string MemoryEventsPath() const { return path_ + "/memory.events"; }

 private:
  std::string path_;
};

}  // namespace kata_cc::agent
