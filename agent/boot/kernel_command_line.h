// SPDX-License-Identifier: Apache-2.0
// KernelCommandLine: what the (measured) kernel command line asks of the agent, `kata_cc.*` keys
// only. The host writes it, so an unknown or repeated key of ours is an error, not a shrug.
#pragma once

#include <string_view>

#include "base/log.h"
#include "base/result.h"

namespace kata_cc::agent {

enum class Transport { kVirtioSerial, kVsock };

// What signs the guest's report. The simulator and none are only accepted where the guest has no
// SEV at all.
enum class Tee { kSnp, kSim, kNone };

struct KernelCommandLine {
  Transport transport = Transport::kVsock;  // kata_cc.transport=virtio-serial|vsock
  Tee tee = Tee::kSnp;                      // kata_cc.tee=snp|sim|none
  LogLevel log_level = LogLevel::kInfo;     // kata_cc.log=debug|info|warn|error
};

// Any thread. Other keys belong to the kernel and are skipped; at most 64 KiB.
Result<KernelCommandLine> ParseKernelCommandLine(std::string_view text);

Result<Tee> ParseTee(std::string_view name);
Result<LogLevel> ParseLogLevel(std::string_view name);

}  // namespace kata_cc::agent
