// SPDX-License-Identifier: Apache-2.0
#include "agent/container/sandbox_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "agent/storage/beneath.h"

namespace kata_cc::agent {

Result<SandboxNamespaces> SandboxNamespaces::Create(const std::string& hostname) {
  Result<SandboxNamespaces> result = Error(Code::kInternal, "namespaces");
  // On a thread that ends with it: these namespaces are a thread's, not the process's.
  std::thread([&] {
    result = [&]() -> Result<SandboxNamespaces> {
      if (::unshare(CLONE_NEWIPC | CLONE_NEWUTS) != 0) return ErrnoError(errno, "unshare");
      if (!hostname.empty() && ::sethostname(hostname.data(), hostname.size()) != 0) {
        return ErrnoError(errno, "sethostname");
      }
      SandboxNamespaces made;
      made.ipc_ = TRY(OpenFile("/proc/thread-self/ns/ipc", O_RDONLY));
      made.uts_ = TRY(OpenFile("/proc/thread-self/ns/uts", O_RDONLY));
      return made;
    }();
  }).join();
  return result;
}

std::string SandboxNamespaces::ipc() const {
  return ipc_.valid() ? PathOf(ipc_) : std::string();
}

std::string SandboxNamespaces::uts() const {
  return uts_.valid() ? PathOf(uts_) : std::string();
}

Result<UniqueFd> OpenPidNamespace(pid_t pid) {
  return OpenFile("/proc/" + std::to_string(pid) + "/ns/pid", O_RDONLY);
}

}  // namespace kata_cc::agent
