// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/tee_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/encoding.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr int kMinRsaBits = 2048;
constexpr int kMaxRsaBits = 8192;

struct Curve {
  std::string_view name;   // JWK's.
  const char* group;       // OpenSSL's.
  std::size_t coordinate;  // Bytes.
};
constexpr std::array kCurves = {Curve{"P-256", "prime256v1", 32}, Curve{"P-521", "secp521r1", 66}};

const Curve* FindCurve(EVP_PKEY* key) {
  std::array<char, 64> group{};
  std::size_t length = 0;
  if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) != 1) return nullptr;
  const auto* const it = std::find_if(kCurves.begin(), kCurves.end(), [&](const Curve& curve) {
    return std::string_view(group.data(), length) == curve.group;
  });
  return it == kCurves.end() ? nullptr : it;
}

Result<std::string> Number(EVP_PKEY* key, const char* name, std::size_t size) {
  BIGNUM* number = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &number) != 1) {
    return Error(Code::kInternal, "tee key: no public number");
  }
  const auto wanted = size != 0 ? size : static_cast<std::size_t>(BN_num_bytes(number));
  Bytes bytes(wanted);
  const int written = BN_bn2binpad(number, bytes.data(), static_cast<int>(bytes.size()));
  BN_free(number);
  if (written < 0) return Error(Code::kInternal, "tee key: a number is too large");
  return Base64UrlEncode(bytes);
}

}  // namespace

Result<TeeKey> TeeKey::Check(KeyPtr key) {
  ERR_clear_error();
  if (key == nullptr) return Error(Code::kInvalidArgument, "tee key: none");
  const int bits = EVP_PKEY_get_bits(key.get());
  const bool rsa =
      EVP_PKEY_is_a(key.get(), "RSA") == 1 && bits >= kMinRsaBits && bits <= kMaxRsaBits;
  const bool ec = EVP_PKEY_is_a(key.get(), "EC") == 1 && FindCurve(key.get()) != nullptr;
  if (!rsa && !ec) return Error(Code::kInvalidArgument, "tee key: of an unsupported kind");
  return TeeKey(std::move(key));
}

Result<TeeKey> TeeKey::Generate() {
  return Check(KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")));
}

Result<TeeKey> TeeKey::Load(ByteView der) {
  const unsigned char* at = der.data();
  return Check(KeyPtr(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size()))));
}

std::string_view TeeKey::curve() const {
  const Curve* curve = FindCurve(key_.get());
  return curve == nullptr ? std::string_view() : curve->name;
}

std::string_view TeeKey::algorithm() const {
  return curve().empty() ? "RSA-OAEP-256" : "ECDH-ES+A256KW";
}

Result<json> TeeKey::PublicJwk() const {
  json out = {{"alg", algorithm()}};
  if (const Curve* curve = FindCurve(key_.get())) {
    out["kty"] = "EC";
    out["crv"] = curve->name;
    out["x"] = TRY(Number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X, curve->coordinate));
    out["y"] = TRY(Number(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y, curve->coordinate));
  } else {
    out["kty"] = "RSA";
    out["n"] = TRY(Number(key_.get(), OSSL_PKEY_PARAM_RSA_N, 0));
    out["e"] = TRY(Number(key_.get(), OSSL_PKEY_PARAM_RSA_E, 0));
  }
  return Result<json>(std::move(out));
}

Result<Secret> TeeKey::Pem() const {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_secmem()), &BIO_free);
  char* text = nullptr;
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0,
                                                      nullptr, nullptr) != 1) {
    ERR_clear_error();
    return Error(Code::kInternal, "tee key: cannot be written");
  }
  const long length = BIO_get_mem_data(bio.get(), &text);
  return Secret::Copy(AsBytes(std::string_view(text, static_cast<std::size_t>(length))));
}

Result<KeyPtr> EcPublicKey(std::string_view curve_name, std::string_view x, std::string_view y) {
  const Error bad(Code::kInvalidArgument, "public key: not a point on a supported curve");
  const auto* const curve = std::find_if(
      kCurves.begin(), kCurves.end(), [&](const Curve& each) { return each.name == curve_name; });
  const Result<Bytes> x_bytes = Base64UrlDecode(x);
  const Result<Bytes> y_bytes = Base64UrlDecode(y);
  if (curve == kCurves.end() || !x_bytes || !y_bytes || x_bytes->size() != curve->coordinate ||
      y_bytes->size() != curve->coordinate) {
    return bad;
  }
  Bytes point = {4};  // Uncompressed.
  point.insert(point.end(), x_bytes->begin(), x_bytes->end());
  point.insert(point.end(), y_bytes->begin(), y_bytes->end());
  std::string group = curve->group;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  const bool made = context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1 &&
                    EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1;
  KeyPtr out(key);
  const std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)> check(
      made ? EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr) : nullptr, &EVP_PKEY_CTX_free);
  const bool valid = check != nullptr && EVP_PKEY_public_check(check.get()) == 1;
  ERR_clear_error();
  if (!valid) return bad;
  return out;
}

}  // namespace kata_cc::agent
