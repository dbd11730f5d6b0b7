// SPDX-License-Identifier: Apache-2.0
// The signature algorithms of COSE (RFC 9053) over OpenSSL's keys and certificates.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::cose {

struct OpensslFree {
  void operator()(X509* x509) const { X509_free(x509); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PKey = std::unique_ptr<EVP_PKEY, OpensslFree>;
using X509Ptr = std::unique_ptr<X509, OpensslFree>;

enum Algorithm : std::int64_t {
  kEs256 = -7,
  kEs384 = -35,
  kEs512 = -36,
  kPs256 = -37,
  kPs384 = -38,
  kPs512 = -39,
};
bool IsKnown(std::int64_t algorithm);

// False for an algorithm that is unknown or not the key's; RSA keys have 2048 bits at least.
bool Verify(std::int64_t algorithm, EVP_PKEY* key, ByteView signature, ByteView message);
Result<Bytes> Sign(std::int64_t algorithm, EVP_PKEY* key, ByteView message);
// ES256, ES384, ES512 by the curve; PS384 for RSA. kInvalidArgument for other keys.
Result<std::int64_t> AlgorithmOf(EVP_PKEY* key);

// One certificate in DER, and nothing after it.
Result<X509Ptr> LoadDer(ByteView der);
Bytes ToDer(const X509* x509);

// A point on "P-256", "P-384" or "P-521" (coordinates big endian), as a JWK has it.
Result<PKey> LoadPoint(const std::string& curve, ByteView x, ByteView y);

}  // namespace kata_cc::cose
