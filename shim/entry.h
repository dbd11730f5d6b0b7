// SPDX-License-Identifier: Apache-2.0
// What the shim's entry points (start, delete, serve) have in common: containerd's arguments, and
// where a sandbox's socket and state are.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "shim/network/network_namespace.h"
#include "shim/sandbox/pod_identity.h"

namespace kata_cc::shim {

// containerd's command line (runtime v2): Go style flags, then an action.
struct Arguments {
  std::string containerd_namespace;
  std::string address;  // containerd's gRPC socket.
  std::string publish_binary;
  std::string id;
  std::string bundle;
  std::string socket;  // Given by `start` to the process that serves.
  std::string action;  // "", "start" or "delete".
  bool debug = false;
  bool info = false;
  bool version = false;
};

// InvalidArgument for a flag that is not known or lacks its value, and for an unknown action.
Result<Arguments> ParseArguments(const std::vector<std::string>& words);

// The names of one sandbox. All come from a hash of containerd's address, the namespace and the
// sandbox id, so that start, serve and delete find the same without being told.
struct SandboxPaths {
  std::string socket;       // /run/containerd/s/<64 hex digits>
  std::string state_dir;    // /run/kata-cc/<32 hex digits>
  std::string domain_name;  // kata-cc-<sandbox id>-<8 hex digits>
};
SandboxPaths PathsOf(const Arguments& arguments, const std::string& sandbox_id);

// What `delete` must know when the shim is dead; <state_dir>/sandbox.json. Its lock is held (flock)
// for as long as the shim lives.
struct SavedState {
  std::string libvirt_uri;
  std::string image_dir;
  NetworkNamespace netns;
};
Result<void> SaveState(const std::string& state_dir, const SavedState& state);
Result<SavedState> LoadState(const std::string& state_dir);

// The lock of a state directory; FailedPrecondition when another process has it.
Result<UniqueFd> LockState(const std::string& state_dir);

// Connects to a unix socket; the descriptor blocks.
Result<UniqueFd> ConnectSocket(const std::string& path);

int RunStart(const Arguments& arguments);
int RunDelete(const Arguments& arguments);
int RunServe(const Arguments& arguments);
int RunInfo();

}  // namespace kata_cc::shim
