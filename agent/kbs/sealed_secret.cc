// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/sealed_secret.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/kbs/tee_key.h"
#include "base/encoding.h"
#include "base/file.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kMaxKeyBytes = std::size_t{16} << 10;

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "sealed secret: " + std::string(why)};
}

Result<json> ParsePart(std::string_view part, const char* what) {
  const Bytes bytes = TRY_CONTEXT(Base64UrlDecode(part), std::string("sealed secret: ") + what);
  json object = TRY_CONTEXT(oci::ParseStrictJson(AsString(bytes), {kMaxSealedBytes, 16}),
                            std::string("sealed secret: ") + what);
  if (!object.is_object()) return Bad(std::string(what) + " is no object");
  return Result<json>(std::move(object));
}

Result<std::string> Text(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string()) return Bad(std::string(name) + " is missing");
  return it->get<std::string>();
}

// From R and S as they are to what OpenSSL wants.
Result<Bytes> DerSignature(std::string_view signature) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  constexpr int kHalf = kSignatureBytes / 2;
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> both(ECDSA_SIG_new(), &ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(bytes, kHalf, nullptr);
  BIGNUM* s = BN_bin2bn(bytes + kHalf, kHalf, nullptr);
  if (both == nullptr || ECDSA_SIG_set0(both.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return Error(Code::kInternal, "sealed secret: signature");
  }
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(both.get(), &der);
  if (length <= 0) return Error(Code::kInternal, "sealed secret: signature");
  Bytes out(der, der + length);
  OPENSSL_free(der);
  return out;
}

}  // namespace

Result<SealedSecret> ParseSealedSecret(std::string_view text) {
  if (!IsSealed(text)) return Bad("does not begin with \"sealed.\"");
  if (text.size() > kMaxSealedBytes) return Bad("larger than 64 KiB");
  text.remove_prefix(kSealedPrefix.size());
  const std::size_t first = text.find('.');
  const std::size_t last = text.rfind('.');
  if (first == std::string_view::npos || first == last || text.find('.', first + 1) != last) {
    return Bad("not three parts");
  }
  SealedSecret out;
  const json header = TRY(ParsePart(text.substr(0, first), "header"));
  if (TRY(Text(header, "alg")) != "ES256") return Bad("alg is not ES256");
  if (header.contains("crit")) return Bad("crit is not supported");
  out.key_id = TRY(Text(header, "kid"));
  const json payload = TRY(ParsePart(text.substr(first + 1, last - first - 1), "payload"));
  if (TRY(Text(payload, "version")) != "0.1.0") return Bad("version is not 0.1.0");
  out.provider = TRY(Text(payload, "provider"));
  const std::string type = TRY(Text(payload, "type"));
  if (type == "vault") {
    out.name = TRY(Text(payload, "name"));
  } else if (type == "envelope") {
    out.type = SealedSecret::Type::kEnvelope;
    for (const char* name : {"key_id", "encrypted_key", "encrypted_data", "wrap_type", "iv"})
      TRY(Text(payload, name));
  } else {
    return Bad("type is not vault or envelope");
  }
  const Bytes signature =
      TRY_CONTEXT(Base64UrlDecode(text.substr(last + 1)), "sealed secret: signature");
  if (signature.size() != kSignatureBytes) return Bad("the signature is not of 64 bytes");
  out.signature = AsString(signature);
  out.signing_input = text.substr(0, last);
  return out;
}

Result<void> VerifySealedSecret(const SealedSecret& secret, std::string_view jwk) {
  const json key =
      TRY_CONTEXT(oci::ParseStrictJson(jwk, {kMaxKeyBytes, 8}), "sealed secret: signing key");
  if (!key.is_object()) return Bad("the signing key is no JWK");
  if (TRY(Text(key, "kty")) != "EC" || TRY(Text(key, "crv")) != "P-256") {
    return Bad("the signing key is not on P-256");
  }
  const std::string x = TRY(Text(key, "x"));
  const std::string y = TRY(Text(key, "y"));
  const KeyPtr public_key = TRY(EcPublicKey("P-256", x, y));
  const Bytes signature = TRY(DerSignature(secret.signature));
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   &EVP_MD_CTX_free);
  const ByteView input = AsBytes(secret.signing_input);
  const bool good =
      context != nullptr &&
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, public_key.get()) == 1 &&
      EVP_DigestVerify(context.get(), signature.data(), signature.size(), input.data(),
                       input.size()) == 1;
  ERR_clear_error();
  if (!good) return Error(Code::kPermissionDenied, "sealed secret: not signed by the named key");
  return {};
}

Unsealer::Unsealer(GetResource get_resource, std::string key_dir)
    : get_resource_(std::move(get_resource)), key_dir_(std::move(key_dir)) {}

Result<Secret> Unsealer::SigningKey(const std::string& key_id) const {
  if (key_id.starts_with("kbs")) {
    const ResourceUri uri = TRY(ParseResourceUri(key_id));
    return get_resource_(uri);
  }
  if (key_dir_.empty() || !IsResourceSegment(key_id)) {
    return Bad("the key's name is neither a kbs:// URI nor that of a local key");
  }
  const Bytes bytes = TRY_CONTEXT(ReadFile(key_dir_ + "/" + key_id, kMaxKeyBytes), "sealed secret");
  return Secret::Copy(bytes);
}

Result<Secret> Unsealer::Unseal(std::string_view text) const {
  const SealedSecret secret = TRY(ParseSealedSecret(text));
  const Secret key = TRY_CONTEXT(SigningKey(secret.key_id), "signing key");
  TRY(VerifySealedSecret(secret, key.text()));
  if (secret.type == SealedSecret::Type::kEnvelope || secret.provider != "kbs") {
    return Error(Code::kUnimplemented,
                 "sealed secret: only secrets of the type vault and the provider kbs");
  }
  const ResourceUri uri = TRY(ParseResourceUri(secret.name));
  return get_resource_(uri);
}

}  // namespace kata_cc::agent
