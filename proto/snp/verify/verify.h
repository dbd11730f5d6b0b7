// SPDX-License-Identifier: Apache-2.0
// Whether a report is genuine: signed by a chip whose key AMD certified for the very firmware that
// the report names. What the owner wants of the guest is a second question, in appraise.h.
#pragma once

#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "proto/snp/report.h"
#include "proto/snp/verify/cert.h"

namespace kata_cc::snp {

struct VerifyInputs {
  ByteView report;
  const Cert& vek;  // VCEK or VLEK.
  const Cert& ask;  // Its issuer: ASK or ASVK.
  const Cert& ark;
  std::span<const Cert> trusted_arks;
  const Crl* crl = nullptr;         // Checked when given.
  std::optional<std::time_t> time;  // Validity is checked when given.
};

struct Verdict {
  // Names of the rules that failed (docs/attestation.md); empty: the report is genuine.
  std::vector<std::string> failed_checks;
  std::optional<Report> report;  // None when it could not be parsed.

  bool valid() const { return failed_checks.empty(); }
};

// Goes through every rule, so that failed_checks is complete.
Verdict VerifyReport(const VerifyInputs& inputs);

// Its part that does not look at the chain above the key: for a caller who checked that before.
Verdict VerifyReportByKey(ByteView report, const Cert& vek);

}  // namespace kata_cc::snp
