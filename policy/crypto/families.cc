// SPDX-License-Identifier: Apache-2.0
#include "policy/crypto/families.h"

#include <vector>

namespace kata_cc::policy_crypto {

policy::BuiltinFamily Family() {
  static const std::vector<policy::Builtin> kAll = [] {
    std::vector<policy::Builtin> all;
    for (const auto part :
         {DigestBuiltins(), X509Builtins(), PrivateKeyBuiltins(), JwtBuiltins(), AwsBuiltins()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return {"crypto", kAll};
}

}  // namespace kata_cc::policy_crypto
