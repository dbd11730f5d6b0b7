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

#include "agent/attest/attester.h"
#include "base/result.h"

namespace kata_cc::agent {

using HostData = std::array<std::uint8_t, 32>;

class HostDataSource {
 public:
  virtual ~HostDataSource() = default;

  // Any thread; blocks for one report. None: there is no TEE, and nothing is bound to the launch.
  virtual Result<std::optional<HostData>> Read() = 0;
};

// What attester's reports say; for null, that there is no TEE. The attester outlives the source.
std::unique_ptr<HostDataSource> ReportedHostData(Attester* attester);

// A source that always gives this value, or none.
std::unique_ptr<HostDataSource> FixedHostData(std::optional<HostData> host_data);

// From 64 hex digits.
Result<HostData> ParseHostData(std::string_view hex);

// InvalidArgument unless the source has no TEE or its value is digest, cut or zero-padded to 32
// bytes (the rule of initdata, which for SHA-256 is the identity). what goes into the message.
Result<void> CheckHostData(HostDataSource& source, std::string_view digest, std::string_view what);

}  // namespace kata_cc::agent
