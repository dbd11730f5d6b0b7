// SPDX-License-Identifier: Apache-2.0
// JWE (RFC 7516) in flattened JSON, as a key broker answers: ECDH-ES+A256KW on P-256 and P-521 or
// RSA-OAEP-256, with A256GCM. Anything else, RSA1_5 above all, is refused.
#pragma once

#include <string>
#include <string_view>

#include "agent/kbs/tee_key.h"
#include "agent/secrets/secret.h"
#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::agent {

inline constexpr std::size_t kMaxJweBytes = std::size_t{4} << 20;

struct Jwe {
  std::string protected_header;  // Base64url as it came: the tag covers this very text.
  std::string aad;               // Base64url as it came; empty: none.
  Bytes encrypted_key, iv, ciphertext, tag;
};

Result<Jwe> ParseJwe(std::string_view text);

// InvalidArgument for a header that is not supported, PermissionDenied for what does not decrypt.
Result<Secret> DecryptJwe(const Jwe& jwe, const TeeKey& key);

// AES-256-GCM; iv of 12 bytes, tag of 16. PermissionDenied when the tag is another.
struct GcmParts {
  ByteView iv, aad, ciphertext, tag;
};
Result<Secret> DecryptGcm(ByteView key, const GcmParts& parts);

}  // namespace kata_cc::agent
