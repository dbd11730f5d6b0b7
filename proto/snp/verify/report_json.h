// SPDX-License-Identifier: Apache-2.0
// Reports as JSON: the flat form that kata-ccctl prints, and CoCo's SnpEvidence, in which a guest
// hands its report and certificates to a key broker.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/snp/cert_table.h"
#include "proto/snp/report.h"
#include "proto/snp/verify/cert.h"

namespace kata_cc::snp {

// All fields, with bit fields taken apart; byte strings are lower-case hex.
nlohmann::json ReportToJson(const Report& report);
nlohmann::json ExtensionsToJson(const CertExtensions& extensions);

struct Evidence {
  ByteArray<kReportSize> report{};
  std::vector<CertTableEntry> certs;  // Empty: the verifier must have them.
};

inline constexpr std::size_t kMaxEvidenceSize = std::size_t{1} << 20;

nlohmann::json EvidenceToJson(const Report& report, const std::vector<CertTableEntry>& certs);
// The form says nothing of reserved bytes: they come back as zero. kInvalidArgument for anything
// else than that form, by an untrusted sender.
Result<Evidence> EvidenceFromJson(std::string_view text);

}  // namespace kata_cc::snp
