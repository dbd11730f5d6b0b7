// SPDX-License-Identifier: Apache-2.0
// Keys from PEM, certificates and JWK (RFC 7517), and signatures by JWS algorithms (RFC 7518).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/crypto/openssl.h"
#include "policy/engine/value.h"

namespace kata_cc::policy_crypto {

struct PemBlock {
  std::string type;  // "CERTIFICATE"
  std::string der;
};

// The first block of the text and what follows it; nothing if there is none.
std::optional<PemBlock> TakePem(std::string_view* text);

struct Key {
  std::string id, algorithm, use;  // As the JWK says; empty if it does not.
  Pkey pkey;                       // Null for a symmetric one:
  std::string secret;
};

// A certificate, a public key in PEM, a JWK or a set of them. Errors as OPA's.
Result<std::vector<Key>> ParseVerificationKeys(std::string_view text);
// FailedPrecondition for JSON that is no JWK, or a key of an unknown type.
Result<Key> ParseJwk(const policy::Value& jwk);

bool IsJwsAlgorithm(std::string_view name);  // HS256, RS256, PS256, ES256, EdDSA, ...
// Whether the signature is the key's; false for a key of another type.
bool VerifyJws(std::string_view algorithm, const Key& key, std::string_view text,
               std::string_view signature);
Result<std::string> SignJws(std::string_view algorithm, const Key& key, std::string_view text);

}  // namespace kata_cc::policy_crypto
