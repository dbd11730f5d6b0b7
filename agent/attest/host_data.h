// SPDX-License-Identifier: Apache-2.0
// HostDataSource: the HOST_DATA of the guest's own attestation report, the 32 bytes that the host
// bound to the launch (AMD SEV-SNP ABI, ATTESTATION_REPORT).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/boot/kernel_command_line.h"
#include "base/result.h"

namespace kata_cc::agent {

using HostData = std::array<std::uint8_t, 32>;

class HostDataSource {
 public:
  virtual ~HostDataSource() = default;

  // Any thread; blocks for one report. None: there is no TEE, and nothing is bound to the launch.
  virtual Result<std::optional<HostData>> Read() = 0;
};

// The source for what the command line names. None is refused when the machine under root (the
// file system's root, "" for the real one) shows a trace of SEV.
Result<std::unique_ptr<HostDataSource>> OpenHostDataSource(Tee tee, const std::string& root = "");

// A source that always gives this value, or none.
std::unique_ptr<HostDataSource> FixedHostData(std::optional<HostData> host_data);

// From 64 hex digits.
Result<HostData> ParseHostData(std::string_view hex);

// InvalidArgument unless the source has no TEE or its value is digest, cut or zero-padded to 32
// bytes (the rule of initdata, which for SHA-256 is the identity). what goes into the message.
Result<void> CheckHostData(HostDataSource& source, std::string_view digest, std::string_view what);

}  // namespace kata_cc::agent
