// SPDX-License-Identifier: Apache-2.0
// Making and judging the signatures of ID blocks (see proto/snp/id_block.h).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/id_block.h"
#include "proto/snp/verify/cert.h"

namespace kata_cc::snp {

// A private key, PEM or DER (PKCS#8 or SEC 1). It stays in OpenSSL's memory.
Result<PKey> LoadPrivateKey(ByteView bytes);

// The public half as the firmware takes it. kInvalidArgument unless the key is on P-384.
Result<ByteArray<kKeySize>> EncodeKey(EVP_PKEY* key);

// What the firmware reports as id_key_digest and author_key_digest: SHA-384 of the encoded key.
ByteArray<48> KeyDigest(const ByteArray<kKeySize>& key);

// author_key may be null.
Result<IdAuth> SignIdBlock(const IdBlock& block, EVP_PKEY* id_key, EVP_PKEY* author_key);

// Names of the checks that failed: size, id_block_version, id_key_algo, id_key_curve,
// reserved_nonzero, id_block_sig, author_key_curve, id_key_sig, author_key_algo.
std::vector<std::string> VerifyIdBlock(ByteView id_block, ByteView id_auth);

}  // namespace kata_cc::snp
