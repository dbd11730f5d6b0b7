// SPDX-License-Identifier: Apache-2.0
// Sealed secrets (CoCo): "sealed." and a JWS (RFC 7515, compact, ES256) that names a secret in the
// key broker. agent/secrets/unseal.h finds them in a pod's environment and files.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/kbs/resource_uri.h"
#include "agent/secrets/secret.h"
#include "agent/secrets/unseal.h"
#include "base/result.h"

namespace kata_cc::agent {

struct SealedSecret {
  std::string key_id;         // A kbs:// URI, or a local name.
  std::string signing_input;  // What the signature covers.
  std::string signature;      // R and S, 64 bytes.
  enum class Type { kVault, kEnvelope } type = Type::kVault;
  std::string provider;
  std::string name;  // Of a vault's secret: a kbs:// URI when the provider is "kbs".
};

Result<SealedSecret> ParseSealedSecret(std::string_view text);

// jwk: the public key on P-256. PermissionDenied when the signature is not by it.
Result<void> VerifySealedSecret(const SealedSecret& secret, std::string_view jwk);

class Unsealer {
 public:
  // What gives the secrets of the broker.
  using GetResource = std::function<Result<Secret>(const ResourceUri& uri)>;
  // key_dir: signing keys with local names, put there by initdata; empty: there are none.
  Unsealer(GetResource get_resource, std::string key_dir);

  // Verifies, then fetches. Unimplemented for providers other than "kbs" and for envelopes: nothing
  // is handed to the workload in a sealed secret's place.
  Result<Secret> Unseal(std::string_view text) const;

 private:
  Result<Secret> SigningKey(const std::string& key_id) const;

  const GetResource get_resource_;
  const std::string key_dir_;
};

}  // namespace kata_cc::agent
