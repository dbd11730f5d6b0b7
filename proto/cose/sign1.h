// SPDX-License-Identifier: Apache-2.0
// COSE_Sign1 (RFC 9052): taking a message apart and making one. Judging it is in verify.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/cose/cbor.h"
#include "proto/cose/key.h"

namespace kata_cc::cose {

// Header labels in use here (RFC 9052, RFC 9360, RFC 9597, COSE hash envelope, SCITT).
enum Label : std::int64_t {
  kAlg = 1,
  kCrit = 2,
  kContentType = 3,
  kKid = 4,
  kCwtClaims = 15,
  kX5Chain = 33,
  kX5T = 34,
  kPayloadHashAlg = 258,
  kPreimageContentType = 259,
  kReceipts = 394,
  kVds = 395,
  kVdp = 396,
};

struct Sign1 {
  Bytes protected_bytes;           // As signed.
  cbor::Value protected_header;    // A map.
  cbor::Value unprotected_header;  // A map; nothing in it is signed.
  std::optional<Bytes> payload;    // None: detached.
  Bytes signature;
};

// kInvalidArgument unless bytes are one tag-18 message and nothing else.
Result<Sign1> ParseSign1(ByteView bytes);

// What the signature is over (Sig_structure).
Bytes ToBeSigned(ByteView protected_bytes, ByteView payload);

// The message with an empty unprotected header: what a transparency receipt is for.
Bytes WithoutUnprotected(const Sign1& message);

struct SignInputs {
  std::string content_type;
  std::string issuer;  // "did:x509:...": see did_x509.h.
  std::string feed;    // The subject claim: what the payload is about.
  std::int64_t svn = 0;
  std::vector<Bytes> chain;  // DER, the signer's first.
  Bytes payload;
};

// Signed by key, the leaf's, with the algorithm that fits it.
Result<Bytes> MakeSign1(const SignInputs& inputs, EVP_PKEY* key);

}  // namespace kata_cc::cose
