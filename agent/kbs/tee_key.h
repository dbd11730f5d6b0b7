// SPDX-License-Identifier: Apache-2.0
// TeeKey: the key pair that a guest makes for a key broker to encrypt to; its public half is bound
// to the attestation report. JWK: RFC 7517, 7518.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "agent/secrets/secret.h"
#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::agent {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeKey>;

class TeeKey {
 public:
  static Result<TeeKey> Generate();  // On P-256.
  // A private key on P-256 or P-521, or RSA of at least 2048 bits; DER.
  static Result<TeeKey> Load(ByteView der);

  // {"kty", "crv", "alg", "x", "y"} or {"kty", "alg", "n", "e"}.
  Result<nlohmann::json> PublicJwk() const;
  // "ECDH-ES+A256KW" or "RSA-OAEP-256".
  std::string_view algorithm() const;
  std::string_view curve() const;  // "P-256", "P-521"; empty for RSA.
  EVP_PKEY* get() const { return key_.get(); }
  Result<Secret> Pem() const;  // PKCS#8.

 private:
  explicit TeeKey(KeyPtr key) : key_(std::move(key)) {}
  static Result<TeeKey> Check(KeyPtr key);
  KeyPtr key_;
};

// A public key on "P-256" or "P-521" from its base64url coordinates. InvalidArgument for a point
// that is not on the curve and for coordinates of another length than the curve's.
Result<KeyPtr> EcPublicKey(std::string_view curve, std::string_view x, std::string_view y);

}  // namespace kata_cc::agent
