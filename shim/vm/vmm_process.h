// SPDX-License-Identifier: Apache-2.0
// Finds the VMM process of a domain: libvirt has no call for it.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

struct VmmProcess {
  pid_t pid = -1;
  UniqueFd pidfd;
};

// The process whose command line has uuid as an argument of its own (libvirt gives it to QEMU as
// -uuid). The uuid is random, so no other process has it by accident. NotFound if there is none.
Result<VmmProcess> FindVmmProcess(const std::string& uuid, const std::string& proc = "/proc");

}  // namespace kata_cc::shim
