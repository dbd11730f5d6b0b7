// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/kernel_command_line.h"

#include <algorithm>
#include <sstream>

namespace kata_cc::shim {
namespace {

constexpr std::size_t kMaxBytes = 2047;  // COMMAND_LINE_SIZE of x86 less the NUL.
constexpr const char* kImageCommandLine = KATA_CC_IMAGE_COMMAND_LINE;  // Set by CMake.

}  // namespace

Result<std::string> KernelCommandLine(const VmConfig& config, Accelerator accelerator) {
  std::string line = kImageCommandLine;
  // The speed of its TSC an emulated guest has to measure, on a host that may be busy; that of the
  // PM timer is known. See docs/vm.md.
  if (accelerator == Accelerator::kTcg) line += " clocksource=acpi_pm";
  line += config.transport == Transport::kVsock ? " kata_cc.transport=vsock"
                                                : " kata_cc.transport=virtio-serial";
  line += " kata_cc.tee=";
  line += config.tee == Tee::kSnp ? "snp" : config.tee == Tee::kSim ? "sim" : "none";
  const std::string& added = config.kernel_command_line;
  if (!std::all_of(added.begin(), added.end(), [](char c) { return c >= ' ' && c <= '~'; }))
    return Error(Code::kInvalidArgument, "vm: kernel parameters: not printable ASCII");
  std::istringstream words(added);
  for (std::string word; words >> word;) {
    if (word.find("kata_cc.transport=") != std::string::npos ||
        word.find("kata_cc.tee=") != std::string::npos)
      return Error(Code::kInvalidArgument, "vm: kernel parameters: " + word + ": set by the shim");
    line += ' ' + word;
  }
  if (line.size() > kMaxBytes)
    return Error(Code::kInvalidArgument, "vm: kernel parameters: longer than the kernel reads");
  return line;
}

}  // namespace kata_cc::shim
