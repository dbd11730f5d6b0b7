// SPDX-License-Identifier: Apache-2.0
// Digests and MACs: crypto.md5, .sha1, .sha256, crypto.hmac.*.
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <array>

#include "policy/crypto/families.h"
#include "policy/crypto/openssl.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::Builtin;
using policy::BuiltinContext;
using policy::BuiltinResult;
using policy::Operands;
using policy::StringOperand;
using policy::Value;

template <const EVP_MD* (*kAlgorithm)()>
BuiltinResult DigestOf(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(policy::ChargeScan(context, text.size()));
  return Value::String(policy::EncodeHex(Digest(kAlgorithm(), text)));
}

template <const EVP_MD* (*kAlgorithm)()>
BuiltinResult HmacOf(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view key = TRY(StringOperand(x, 1));
  TRY(policy::ChargeScan(context, text.size() + key.size()));
  return Value::String(policy::EncodeHex(Hmac(kAlgorithm(), key, text)));
}

BuiltinResult HmacEqual(BuiltinContext&, Operands x) {
  const std::string_view a = TRY(StringOperand(x, 0));
  const std::string_view b = TRY(StringOperand(x, 1));
  return Value::Bool(a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

std::string Digest(const EVP_MD* algorithm, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), Bytes(out), &size, algorithm, nullptr) != 1) size = 0;
  out.resize(size);
  return out;
}

std::string Hmac(const EVP_MD* algorithm, std::string_view key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  const bool made = HMAC(algorithm, key.data(), static_cast<int>(key.size()), Bytes(text),
                         text.size(), Bytes(out), &size) != nullptr;
  out.resize(made ? size : 0);
  return out;
}

std::span<const Builtin> DigestBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"crypto.md5", 1, DigestOf<EVP_md5>},
      Builtin{"crypto.sha1", 1, DigestOf<EVP_sha1>},
      Builtin{"crypto.sha256", 1, DigestOf<EVP_sha256>},
      Builtin{"crypto.hmac.md5", 2, HmacOf<EVP_md5>},
      Builtin{"crypto.hmac.sha1", 2, HmacOf<EVP_sha1>},
      Builtin{"crypto.hmac.sha256", 2, HmacOf<EVP_sha256>},
      Builtin{"crypto.hmac.sha512", 2, HmacOf<EVP_sha512>},
      Builtin{"crypto.hmac.equal", 2, HmacEqual},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy_crypto
