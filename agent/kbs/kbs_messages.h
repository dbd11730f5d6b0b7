// SPDX-License-Identifier: Apache-2.0
// The messages of the KBS attestation protocol, version 0.4.0 (CoCo Trustee): request, challenge,
// attestation, response. What comes from the broker is not believed before it is checked.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/attest/attester.h"
#include "base/result.h"

namespace kata_cc::agent {

inline constexpr std::size_t kMaxKbsMessageBytes = std::size_t{256} << 10;

struct Challenge {
  std::string nonce;            // Base64, as it came.
  std::string hash = "sha384";  // What the broker chose for the runtime data, or SNP's.
};

std::string AuthRequest();
Result<Challenge> ParseChallenge(std::string_view text);

// {"additional-evidence", "nonce", "tee-pubkey"}: what the report is about.
nlohmann::json RuntimeData(const Challenge& challenge, const nlohmann::json& public_key,
                           std::string_view additional_evidence = "");
// The digest of the canonical form, zero-padded to a report's 64 bytes.
Result<ReportData> RuntimeDataDigest(const nlohmann::json& runtime_data, std::string_view hash);

struct Attestation {
  nlohmann::json runtime_data;          // As above.
  nlohmann::json evidence;              // SnpEvidence.
  std::optional<std::string> initdata;  // The document.
};
std::string AttestRequest(const Attestation& attestation);

// The token: a JWT, of which only the form is checked, for the guest is not who relies on it.
Result<std::string> ParseAttestResponse(std::string_view text);

// What a broker's refusal says, in printable ASCII and cut; for messages.
std::string DescribeRefusal(int status, std::string_view body);

// The value of the session's cookie in a Set-Cookie header.
Result<std::string> ParseSessionCookie(std::string_view set_cookie);

}  // namespace kata_cc::agent
