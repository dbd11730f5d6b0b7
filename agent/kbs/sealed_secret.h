// SPDX-License-Identifier: Apache-2.0
// Sealed secrets (CoCo): "sealed." and a JWS (RFC 7515, compact, ES256) that names a secret in the
// key broker. A pod's environment and files hold them in the clear; only the guest can unseal them.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kbs/resource_uri.h"
#include "agent/kbs/secret.h"
#include "base/result.h"

namespace kata_cc::agent {

inline constexpr std::string_view kSealedPrefix = "sealed.";
inline constexpr std::size_t kMaxSealedBytes = std::size_t{64} << 10;

struct SealedSecret {
  std::string key_id;         // A kbs:// URI, or a local name.
  std::string signing_input;  // What the signature covers.
  std::string signature;      // R and S, 64 bytes.
  enum class Type { kVault, kEnvelope } type = Type::kVault;
  std::string provider;
  std::string name;  // Of a vault's secret: a kbs:// URI when the provider is "kbs".
};

inline bool IsSealed(std::string_view text) {
  return text.starts_with(kSealedPrefix);
}

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

  // Unseals the values of NAME=sealed.... entries in place. The first that fails is an error that
  // names the variable.
  Result<void> UnsealEnvironment(std::vector<std::string>& environment) const;

  // Unseals the file (no symlink) if its content is a sealed secret: it is replaced in one step,
  // and keeps mode and owner. Gives whether it was one.
  Result<bool> UnsealFile(const std::string& path) const;

  // A file, or the files below a directory that holds no more than a volume of secrets does. Links
  // are not followed.
  Result<void> UnsealFiles(const std::string& path) const;

 private:
  Result<Secret> SigningKey(const std::string& key_id) const;

  const GetResource get_resource_;
  const std::string key_dir_;
};

}  // namespace kata_cc::agent
