// SPDX-License-Identifier: Apache-2.0
#include "policy/crypto/keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <array>

#include "policy/engine/builtins/builtin.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::BuiltinError;
using policy::Value;

using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

struct JwsAlgorithm {
  std::string_view name;
  char family;  // H, R, P, E, D
  const EVP_MD* (*digest)();
  std::size_t coordinate_bytes;  // Of an elliptic curve.
};

constexpr JwsAlgorithm kAlgorithms[] = {
    {"HS256", 'H', EVP_sha256, 0},  {"HS384", 'H', EVP_sha384, 0},  {"HS512", 'H', EVP_sha512, 0},
    {"RS256", 'R', EVP_sha256, 0},  {"RS384", 'R', EVP_sha384, 0},  {"RS512", 'R', EVP_sha512, 0},
    {"PS256", 'P', EVP_sha256, 0},  {"PS384", 'P', EVP_sha384, 0},  {"PS512", 'P', EVP_sha512, 0},
    {"ES256", 'E', EVP_sha256, 32}, {"ES384", 'E', EVP_sha384, 48}, {"ES512", 'E', EVP_sha512, 66},
    {"EdDSA", 'D', nullptr, 0}};

const JwsAlgorithm* FindAlgorithm(std::string_view name) {
  for (const JwsAlgorithm& algorithm : kAlgorithms) {
    if (algorithm.name == name) return &algorithm;
  }
  return nullptr;
}

Error BadJwk(std::string_view why) {
  return BuiltinError("failed to parse a JWK key (set): " + std::string(why));
}

std::string_view TextOf(const Value& jwk, std::string_view key) {
  const Value* value = jwk.Find(key);
  return value != nullptr && value->is_string() ? value->string() : std::string_view();
}

Result<std::string> BytesOf(const Value& jwk, std::string_view key) {
  auto bytes = policy::DecodeBase64(TextOf(jwk, key), policy::Base64::kUrlNoPadding);
  if (!bytes || bytes->empty()) return BadJwk("no " + std::string(key));
  return *std::move(bytes);
}

// The parameters of one key; big numbers live until the key is made.
class KeyMaker {
 public:
  KeyMaker() : builder_(OSSL_PARAM_BLD_new()) {}

  Result<void> Number(const char* name, const Value& jwk, std::string_view member) {
    const std::string bytes = TRY(BytesOf(jwk, member));
    constexpr std::size_t kMaxBytes = 2048;
    if (bytes.size() > kMaxBytes) return BadJwk("number too long");
    numbers_.emplace_back(BN_bin2bn(Bytes(bytes), static_cast<int>(bytes.size()), nullptr));
    OSSL_PARAM_BLD_push_BN(builder_.get(), name, numbers_.back().get());
    return {};
  }
  void Octets(const char* name, std::string bytes) {
    octets_.push_back(std::move(bytes));
    OSSL_PARAM_BLD_push_octet_string(builder_.get(), name, octets_.back().data(),
                                     octets_.back().size());
  }
  void Text(const char* name, const char* text) {
    OSSL_PARAM_BLD_push_utf8_string(builder_.get(), name, text, 0);
  }
  Result<Pkey> Make(const char* type, bool is_private) {
    Params params(OSSL_PARAM_BLD_to_param(builder_.get()));
    PkeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          params.get()) != 1) {
      return BadJwk("no valid key");
    }
    return Pkey(key);
  }

 private:
  ParamBuilder builder_;
  std::vector<BigNumber> numbers_;
  std::vector<std::string> octets_;
};

Result<Pkey> RsaKey(const Value& jwk) {
  KeyMaker maker;
  TRY(maker.Number(OSSL_PKEY_PARAM_RSA_N, jwk, "n"));
  TRY(maker.Number(OSSL_PKEY_PARAM_RSA_E, jwk, "e"));
  const bool is_private = jwk.Find("d") != nullptr;
  if (is_private) {
    constexpr std::pair<const char*, std::string_view> kParts[] = {
        {OSSL_PKEY_PARAM_RSA_D, "d"},          {OSSL_PKEY_PARAM_RSA_FACTOR1, "p"},
        {OSSL_PKEY_PARAM_RSA_FACTOR2, "q"},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dp"},
        {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dq"}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qi"}};
    for (const auto& [name, member] : kParts) {
      if (member == "d" || jwk.Find("qi") != nullptr) TRY(maker.Number(name, jwk, member));
    }
  }
  return maker.Make("RSA", is_private);
}

Result<Pkey> EcKey(const Value& jwk) {
  constexpr std::pair<std::string_view, std::pair<const char*, std::size_t>> kCurves[] = {
      {"P-256", {"P-256", 32}}, {"P-384", {"P-384", 48}}, {"P-521", {"P-521", 66}}};
  for (const auto& [name, curve] : kCurves) {
    if (TextOf(jwk, "crv") != name) continue;
    std::string point = "\x04";
    for (std::string_view member : {"x", "y"}) {
      std::string bytes = TRY(BytesOf(jwk, member));
      if (bytes.size() > curve.second) return BadJwk("coordinate too long");
      point.append(curve.second - bytes.size(), '\0').append(bytes);
    }
    KeyMaker maker;
    maker.Text(OSSL_PKEY_PARAM_GROUP_NAME, curve.first);
    maker.Octets(OSSL_PKEY_PARAM_PUB_KEY, std::move(point));
    const bool is_private = jwk.Find("d") != nullptr;
    if (is_private) TRY(maker.Number(OSSL_PKEY_PARAM_PRIV_KEY, jwk, "d"));
    return maker.Make("EC", is_private);
  }
  return BadJwk("unknown curve");
}

Result<Pkey> OkpKey(const Value& jwk) {
  if (TextOf(jwk, "crv") != "Ed25519") return BadJwk("unknown curve");
  const bool is_private = jwk.Find("d") != nullptr;
  const std::string bytes = TRY(BytesOf(jwk, is_private ? "d" : "x"));
  Pkey key(
      is_private
          ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(bytes), bytes.size())
          : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(bytes), bytes.size()));
  if (key == nullptr) return BadJwk("no valid key");
  return key;
}

bool KeyFits(const JwsAlgorithm& algorithm, const Key& key) {
  if (algorithm.family == 'H') return key.pkey == nullptr;
  if (key.pkey == nullptr) return false;
  const int type = EVP_PKEY_get_base_id(key.pkey.get());
  switch (algorithm.family) {
    case 'R':
    case 'P':
      return type == EVP_PKEY_RSA;
    case 'E':
      return type == EVP_PKEY_EC &&
             static_cast<std::size_t>(EVP_PKEY_get_bits(key.pkey.get()) + 7) / 8 ==
                 algorithm.coordinate_bytes;
    default:
      return type == EVP_PKEY_ED25519;
  }
}

// r and s of a JWS as the DER that OpenSSL takes; empty if the length is wrong.
std::string RawToDer(std::string_view raw, std::size_t bytes) {
  if (raw.size() != 2 * bytes) return {};
  const auto size = static_cast<int>(bytes);
  BigNumber r(BN_bin2bn(Bytes(raw), size, nullptr));
  BigNumber s(BN_bin2bn(Bytes(raw) + bytes, size, nullptr));
  EcdsaSignature signature(ECDSA_SIG_new());
  if (ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  static_cast<void>(r.release());
  static_cast<void>(s.release());
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  if (length <= 0) return {};
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return out;
}

std::string DerToRaw(std::string_view der, std::size_t bytes) {
  const unsigned char* at = Bytes(der);
  EcdsaSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (signature == nullptr) return {};
  std::string out(2 * bytes, '\0');
  const auto size = static_cast<int>(bytes);
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), Bytes(out), size);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), Bytes(out) + bytes, size);
  return out;
}

bool UsePss(EVP_PKEY_CTX* context, bool sign) {
  return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(
             context, sign ? RSA_PSS_SALTLEN_DIGEST : RSA_PSS_SALTLEN_AUTO) == 1;
}

}  // namespace

std::optional<PemBlock> TakePem(std::string_view* text) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  constexpr std::string_view kDashes = "-----";
  const std::size_t begin = text->find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  std::string_view rest = text->substr(begin + kBegin.size());
  const std::size_t type_end = rest.find(kDashes);
  if (type_end == std::string_view::npos) return std::nullopt;
  PemBlock block;
  block.type = rest.substr(0, type_end);
  rest.remove_prefix(type_end + kDashes.size());
  const std::string end_line = "-----END " + block.type + "-----";
  const std::size_t end = rest.find(end_line);
  if (end == std::string_view::npos) return std::nullopt;
  std::string base64;
  for (char c : rest.substr(0, end)) {
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') base64 += c;
  }
  auto der = policy::DecodeBase64(base64, policy::Base64::kStandard);
  if (!der) return std::nullopt;
  block.der = *std::move(der);
  rest.remove_prefix(end + end_line.size());
  while (!rest.empty() && (rest[0] == '\r' || rest[0] == ' ' || rest[0] == '\t')) {
    rest.remove_prefix(1);
  }
  if (!rest.empty() && rest[0] == '\n') rest.remove_prefix(1);
  *text = rest;
  return block;
}

Result<Key> ParseJwk(const Value& jwk) {
  if (!jwk.is_object()) return BadJwk("no object");
  Key key;
  key.id = TextOf(jwk, "kid");
  key.algorithm = TextOf(jwk, "alg");
  key.use = TextOf(jwk, "use");
  const std::string_view type = TextOf(jwk, "kty");
  if (type == "oct") {
    key.secret = TRY(BytesOf(jwk, "k"));
  } else if (type == "RSA") {
    key.pkey = TRY(RsaKey(jwk));
  } else if (type == "EC") {
    key.pkey = TRY(EcKey(jwk));
  } else if (type == "OKP") {
    key.pkey = TRY(OkpKey(jwk));
  } else {
    return BadJwk("unknown key type " + std::string(type));
  }
  return key;
}

Result<std::vector<Key>> ParseVerificationKeys(std::string_view text) {
  std::vector<Key> keys;
  std::string_view rest = text;
  if (const auto block = TakePem(&rest)) {
    if (!rest.empty()) return BuiltinError("extra data after a PEM certificate block");
    const unsigned char* der = Bytes(block->der);
    const auto size = static_cast<long>(block->der.size());
    Key key;
    if (block->type == "CERTIFICATE") {
      const Certificate certificate(d2i_X509(nullptr, &der, size));
      if (certificate != nullptr) key.pkey.reset(X509_get_pubkey(certificate.get()));
      if (key.pkey == nullptr) return BuiltinError("failed to parse a PEM certificate");
    } else if (block->type == "PUBLIC KEY") {
      key.pkey.reset(d2i_PUBKEY(nullptr, &der, size));
      if (key.pkey == nullptr) return BuiltinError("failed to parse a PEM public key");
    } else {
      return BuiltinError("failed to extract a Key from the PEM certificate");
    }
    keys.push_back(std::move(key));
    return keys;
  }
  const auto json = policy::ParseJson(text);
  if (!json || !json->is_object()) return BadJwk("no JSON object");
  const Value* set = json->Find("keys");
  if (set == nullptr) {
    keys.push_back(TRY(ParseJwk(*json)));
    return keys;
  }
  if (!set->is_array()) return BadJwk("keys is no array");
  for (const Value& jwk : set->items()) {
    Key key = TRY(ParseJwk(jwk));
    if (key.use != "enc") keys.push_back(std::move(key));
  }
  return keys;
}

bool IsJwsAlgorithm(std::string_view name) {
  return FindAlgorithm(name) != nullptr;
}

bool VerifyJws(std::string_view name, const Key& key, std::string_view text,
               std::string_view signature) {
  const JwsAlgorithm* algorithm = FindAlgorithm(name);
  if (algorithm == nullptr || !KeyFits(*algorithm, key)) return false;
  if (algorithm->family == 'H') {
    const std::string mac = Hmac(algorithm->digest(), key.secret, text);
    return mac.size() == signature.size() &&
           CRYPTO_memcmp(mac.data(), signature.data(), mac.size()) == 0;
  }
  std::string der;
  if (algorithm->family == 'E') {
    der = RawToDer(signature, algorithm->coordinate_bytes);
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_context = nullptr;
  const EVP_MD* digest = algorithm->digest != nullptr ? algorithm->digest() : nullptr;
  if (EVP_DigestVerifyInit(context.get(), &pkey_context, digest, nullptr, key.pkey.get()) != 1) {
    return false;
  }
  if (algorithm->family == 'P' && !UsePss(pkey_context, false)) return false;
  return EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text),
                          text.size()) == 1;
}

Result<std::string> SignJws(std::string_view name, const Key& key, std::string_view text) {
  const JwsAlgorithm* algorithm = FindAlgorithm(name);
  if (algorithm == nullptr) return BuiltinError("unknown JWS algorithm: " + std::string(name));
  if (!KeyFits(*algorithm, key)) return BuiltinError("key does not fit " + std::string(name));
  if (algorithm->family == 'H') return Hmac(algorithm->digest(), key.secret, text);
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* pkey_context = nullptr;
  const EVP_MD* digest = algorithm->digest != nullptr ? algorithm->digest() : nullptr;
  std::size_t size = 0;
  const Error failed = BuiltinError("failed to sign with the JWK");
  if (EVP_DigestSignInit(context.get(), &pkey_context, digest, nullptr, key.pkey.get()) != 1) {
    return failed;
  }
  if (algorithm->family == 'P' && !UsePss(pkey_context, true)) return failed;
  if (EVP_DigestSign(context.get(), nullptr, &size, Bytes(text), text.size()) != 1) return failed;
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), Bytes(signature), &size, Bytes(text), text.size()) != 1) {
    return failed;
  }
  signature.resize(size);
  if (algorithm->family == 'E') return DerToRaw(signature, algorithm->coordinate_bytes);
  return signature;
}

}  // namespace kata_cc::policy_crypto
