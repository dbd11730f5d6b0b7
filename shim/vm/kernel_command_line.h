// SPDX-License-Identifier: Apache-2.0
// The guest's kernel command line: the image's own (guest-image/build/cmdline), what the agent has
// to know of this VM, and what the configuration adds. All of it goes into the launch measurement.
#pragma once

#include <string>

#include "base/result.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {

// InvalidArgument for additions that are not printable ASCII, that set the transport or TEE (those
// are said here, once), or that make it longer than the kernel reads (2,047 bytes).
Result<std::string> KernelCommandLine(const VmConfig& config, Accelerator accelerator);

}  // namespace kata_cc::shim
