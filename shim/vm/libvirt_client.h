// SPDX-License-Identifier: Apache-2.0
// LibvirtClient: libvirt's calls, made by a process of their own (kata-cc-libvirt) that runs only
// while there are any. libvirt brings fifty libraries, which a shim would otherwise carry for as
// long as its pod lives; and a call that hangs ends with its process.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/process.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

// The program beside the one that runs: "<its directory>/kata-cc-libvirt".
std::string LibvirtProgram();

// How long a call may take. A start is long when libvirt first has to find out what QEMU can do.
struct LibvirtLimits {
  std::chrono::milliseconds start{180'000};
  std::chrono::milliseconds destroy{30'000};
  std::chrono::milliseconds other{60'000};
};

class LibvirtClient {
 public:
  // Nothing runs before the first call.
  explicit LibvirtClient(std::string uri, std::string program = LibvirtProgram(),
                         LibvirtLimits limits = {});

  // One at a time. Errors are libvirt's, with Code::kNotFound for a domain that is not there, or
  // kDeadlineExceeded after the call's own limit; then, and after a crash, the next call begins
  // with a new process.
  Result<void> Start(const std::string& domain_xml);
  Result<void> StartPaused(const std::string& domain_xml);
  Result<void> Resume(const std::string& name);
  Result<std::string> Describe(const std::string& name);  // The domain's live XML.
  Result<void> Attach(const std::string& name, const std::string& device_xml);
  Result<void> Detach(const std::string& name, const std::string& device_xml);
  // No error if the domain was gone already. Its VMM is to be dead: libvirt would ask it first.
  Result<void> Destroy(const std::string& name);
  Result<unsigned long> Version();  // Of the library, as libvirt numbers it.

  void Close();  // Ends the process until the next call.

 private:
  Result<std::string> Call(std::string_view verb, std::chrono::milliseconds limit,
                           const std::string& name = {}, const std::string& xml = {});
  Result<std::string> Exchange(const std::string& request, std::chrono::milliseconds limit);
  Result<void> Run();

  const std::string uri_;
  const std::string program_;
  const LibvirtLimits limits_;
  UniqueFd socket_;
  std::optional<ChildProcess> process_;
};

}  // namespace kata_cc::shim
