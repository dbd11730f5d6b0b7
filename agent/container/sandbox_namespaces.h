// SPDX-License-Identifier: Apache-2.0
// SandboxNamespaces: the namespaces that the containers of a pod share (Kata: ipc and uts of the
// sandbox, pid of its first container). Held open by descriptor, so there is nothing to unmount.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

class SandboxNamespaces {
 public:
  // New ones for ipc and uts, with this hostname (at most 64 bytes; empty: the machine's).
  // Any thread: the caller's own namespaces stay as they are.
  static Result<SandboxNamespaces> Create(const std::string& hostname);

  // For an OCI spec; good while this object lives. Empty: there is none.
  std::string ipc() const;
  std::string uts() const;

 private:
  UniqueFd ipc_;
  UniqueFd uts_;
};

// The pid namespace of a process.
Result<UniqueFd> OpenPidNamespace(pid_t pid);

}  // namespace kata_cc::agent
