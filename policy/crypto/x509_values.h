// SPDX-License-Identifier: Apache-2.0
// Parts of certificates and keys as values with the member names that OPA's have, which are those
// of Go's structs.
#pragma once

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "policy/crypto/openssl.h"
#include "policy/engine/value.h"

namespace kata_cc::policy_crypto {

// Steps to charge for parsing one text.
constexpr std::uint64_t kParseSteps = 2'000;

using GeneralNames = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

class Object {
 public:
  void Add(std::string_view key, policy::Value value) {
    members_.push_back({policy::Value::String(key), std::move(value)});
  }
  void AddText(std::string_view key, std::string_view text) {
    Add(key, policy::Value::String(text));
  }
  // As Go's encoder: null for a slice that is nil.
  void AddTexts(std::string_view key, const std::vector<std::string>& texts);
  policy::Value Done() { return policy::Value::Object(std::move(members_)); }

 private:
  std::vector<policy::Member> members_;
};

// FailedPrecondition without one, or for one that is longer than a key's, whose digits would cost
// more than the text that holds it.
Result<policy::Value> BigOf(const BIGNUM* number);

policy::Value NameOf(const X509_NAME* name);  // Go's pkix.Name.
void AddAlternativeNames(const GENERAL_NAMES* names, Object& out);
Result<policy::Value> CertificateValue(X509* certificate);

}  // namespace kata_cc::policy_crypto
