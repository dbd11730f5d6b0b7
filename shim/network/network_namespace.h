// SPDX-License-Identifier: Apache-2.0
// A network namespace by its path, as the OCI spec names the pod's, and work that is done in it.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

// What `delete` finds a namespace by: id tells whether the path still leads to the same one.
struct NetworkNamespace {
  std::string path;  // Empty: none.
  std::string id;    // Device and inode.
};

// InvalidArgument when path is no network namespace.
Result<NetworkNamespace> FindNetworkNamespace(const std::string& path);
// NotFound when it is gone, or the path is another's by now.
Result<UniqueFd> OpenNetworkNamespace(const NetworkNamespace& wanted);
// The calling thread's own, which is the host's.
Result<NetworkNamespace> OwnNetworkNamespace();

// Runs function on a thread of its own in the namespace, and waits for it: no other thread of the
// process ever leaves the host's.
Result<void> InNetworkNamespace(const UniqueFd& netns,
                                const std::function<Result<void>()>& function);

}  // namespace kata_cc::shim
