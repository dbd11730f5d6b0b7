// SPDX-License-Identifier: Apache-2.0
// Private keys: crypto.parse_private_keys, crypto.x509.parse_keypair and parse_rsa_private_key.
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "policy/crypto/families.h"
#include "policy/crypto/keys.h"
#include "policy/crypto/x509_values.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::Builtin;
using policy::BuiltinContext;
using policy::BuiltinError;
using policy::BuiltinResult;
using policy::Operands;
using policy::StringOperand;
using policy::Value;

BigNumber KeyNumber(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  return BigNumber(number);
}

std::string UrlBytes(const BIGNUM* number, int least = 0) {
  std::string bytes(static_cast<std::size_t>(std::max(least, BN_num_bytes(number))), '\0');
  BN_bn2binpad(number, Bytes(bytes), static_cast<int>(bytes.size()));
  return policy::EncodeBase64(bytes, policy::Base64::kUrlNoPadding);
}

Result<Pkey> PrivateKey(const PemBlock& block) {
  const unsigned char* at = Bytes(block.der);
  Pkey key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(block.der.size())));
  ERR_clear_error();
  if (key == nullptr) return BuiltinError("failed to parse private key: " + block.type);
  return key;
}

Value RsaJwk(EVP_PKEY* key) {
  constexpr std::pair<std::string_view, const char*> kParts[] = {
      {"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
      {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
      {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
      {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}};
  Object out;
  out.AddText("kty", "RSA");
  for (const auto& [name, param] : kParts) {
    const BigNumber number = KeyNumber(key, param);
    if (number != nullptr) out.AddText(name, UrlBytes(number.get()));
  }
  return out.Done();
}

BuiltinResult ParseRsaPrivateKey(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(kParseSteps + text.size(), text.size() * 4));
  if (text.empty()) return BuiltinError("input PEM data was empty");
  std::string pem(text);
  if (text.substr(0, 11) != "-----BEGIN ") {
    pem = TRY(policy::DecodeBase64(text, policy::Base64::kStandard));
  }
  std::string_view rest = pem;
  const auto block = TakePem(&rest);
  if (!block) return Value();
  const Pkey key = TRY(PrivateKey(*block));
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) return BuiltinError("no RSA private key");
  return RsaJwk(key.get());
}

// The numbers of the key, under the names of Go's structs.
Result<Value> GoRsaKey(EVP_PKEY* key) {
  const auto number = [key](const char* name) { return BigOf(KeyNumber(key, name).get()); };
  Object out;
  out.Add("N", TRY(number(OSSL_PKEY_PARAM_RSA_N)));
  out.Add("E", TRY(number(OSSL_PKEY_PARAM_RSA_E)));
  out.Add("D", TRY(number(OSSL_PKEY_PARAM_RSA_D)));
  const Value p = TRY(number(OSSL_PKEY_PARAM_RSA_FACTOR1));
  const Value q = TRY(number(OSSL_PKEY_PARAM_RSA_FACTOR2));
  out.Add("Primes", Value::Array({p, q}));
  Object precomputed;
  precomputed.Add("Dp", TRY(number(OSSL_PKEY_PARAM_RSA_EXPONENT1)));
  precomputed.Add("Dq", TRY(number(OSSL_PKEY_PARAM_RSA_EXPONENT2)));
  precomputed.Add("Qinv", TRY(number(OSSL_PKEY_PARAM_RSA_COEFFICIENT1)));
  precomputed.Add("CRTValues", Value::Array(std::vector<Value>()));
  out.Add("Precomputed", precomputed.Done());
  return out.Done();
}

Result<Value> GoPrivateKey(EVP_PKEY* key) {
  const int type = EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_RSA) return GoRsaKey(key);
  if (type == EVP_PKEY_EC) {
    Object out;
    out.Add("Curve", Value::SortedObject({}));
    out.Add("X", TRY(BigOf(KeyNumber(key, OSSL_PKEY_PARAM_EC_PUB_X).get())));
    out.Add("Y", TRY(BigOf(KeyNumber(key, OSSL_PKEY_PARAM_EC_PUB_Y).get())));
    out.Add("D", TRY(BigOf(KeyNumber(key, OSSL_PKEY_PARAM_PRIV_KEY).get())));
    return out.Done();
  }
  if (type != EVP_PKEY_ED25519) return BuiltinError("x509: unknown kind of private key");
  std::string seed(32, '\0'), point(32, '\0');
  std::size_t seed_size = seed.size(), point_size = point.size();
  if (EVP_PKEY_get_raw_private_key(key, Bytes(seed), &seed_size) != 1 ||
      EVP_PKEY_get_raw_public_key(key, Bytes(point), &point_size) != 1) {
    return BuiltinError("x509: malformed private key");
  }
  return Value::String(policy::EncodeBase64(seed + point, policy::Base64::kStandard));
}

BuiltinResult ParsePrivateKeys(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(kParseSteps + text.size(), text.size() * 4));
  if (text.empty()) return Value();
  std::string pem(text);
  if (auto decoded = policy::DecodeBase64(text, policy::Base64::kStandard)) {
    pem = *std::move(decoded);
  }
  std::vector<Value> keys;
  std::string_view rest = pem;
  while (const auto block = TakePem(&rest)) {
    const Pkey key = TRY(PrivateKey(*block));
    TRY(context.Charge(kParseSteps));
    keys.push_back(TRY(GoPrivateKey(key.get())));
  }
  return Value::Array(std::move(keys));
}

BuiltinResult ParseKeyPair(BuiltinContext& context, Operands x) {
  std::array<std::string, 2> texts;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string_view text = TRY(StringOperand(x, i));
    TRY(context.Charge(kParseSteps + text.size(), text.size() * 8));
    texts[i] = text;
    if (text.substr(0, 11) != "-----BEGIN ") {
      texts[i] = TRY(policy::DecodeBase64(text, policy::Base64::kStandard));
    }
  }
  std::string_view certificates_text = texts[0];
  std::string_view key_text = texts[1];
  const auto key_block = TakePem(&key_text);
  if (!key_block) return BuiltinError("tls: failed to find any PEM data in key input");
  const Pkey key = TRY(PrivateKey(*key_block));
  std::vector<Value> chain;
  Certificate leaf;
  while (const auto block = TakePem(&certificates_text)) {
    if (block->type != "CERTIFICATE") continue;
    chain.push_back(Value::String(policy::EncodeBase64(block->der, policy::Base64::kStandard)));
    if (leaf != nullptr) continue;
    const unsigned char* at = Bytes(block->der);
    leaf.reset(d2i_X509(nullptr, &at, static_cast<long>(block->der.size())));
    if (leaf == nullptr) return BuiltinError("x509: malformed certificate");
  }
  if (leaf == nullptr) {
    return BuiltinError("tls: failed to find any PEM data in certificate input");
  }
  if (X509_check_private_key(leaf.get(), key.get()) != 1) {
    ERR_clear_error();
    return BuiltinError("tls: private key does not match public key");
  }
  X509_check_purpose(leaf.get(), -1, 0);
  Object out;
  out.Add("Certificate", Value::Array(std::move(chain)));
  out.Add("Leaf", TRY(CertificateValue(leaf.get())));
  out.Add("PrivateKey", TRY(GoPrivateKey(key.get())));
  out.Add("OCSPStaple", Value());
  out.Add("SignedCertificateTimestamps", Value());
  out.Add("SupportedSignatureAlgorithms", Value());
  return out.Done();
}

}  // namespace

std::span<const Builtin> PrivateKeyBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"crypto.x509.parse_keypair", 2, ParseKeyPair},
      Builtin{"crypto.x509.parse_rsa_private_key", 1, ParseRsaPrivateKey},
      Builtin{"crypto.parse_private_keys", 1, ParsePrivateKeys},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy_crypto
