// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/jwe.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kMaxHeader = std::size_t{8} << 10;

using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, void (*)(EVP_PKEY_CTX*)>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)>;

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "jwe: " + std::string(why)};
}

// One word for all that fails in decryption: an oracle would need more.
Error Undecryptable() {
  ERR_clear_error();
  return {Code::kPermissionDenied, "jwe: does not decrypt with this guest's key"};
}

Result<std::string> Text(const json& object, const char* name) {
  const auto it = object.find(name);
  if (it == object.end() || !it->is_string())
    return Bad(std::string(name) + ": missing or no text");
  return it->get<std::string>();
}

Result<Bytes> Field(const json& object, const char* name) {
  const std::string text = TRY(Text(object, name));
  return TRY_CONTEXT(Base64UrlDecode(text), std::string("jwe: ") + name);
}

struct Header {
  std::string algorithm;
  KeyPtr ephemeral;  // Of ECDH-ES.
  std::string curve;
};

Result<Header> ParseHeader(const std::string& encoded) {
  if (encoded.size() > kMaxHeader) return Bad("the protected header is too long");
  const Bytes bytes = TRY_CONTEXT(Base64UrlDecode(encoded), "jwe: protected");
  const json header =
      TRY_CONTEXT(oci::ParseStrictJson(AsString(bytes), {kMaxHeader, 4}), "jwe: protected header");
  if (!header.is_object()) return Bad("the protected header is no object");
  static const std::set<std::string> kKnown = {"alg", "enc", "epk", "typ", "cty", "kid"};
  for (const auto& [key, value] : header.items()) {
    if (!kKnown.contains(key)) return Bad("the protected header has an unknown parameter");
  }
  Header out;
  out.algorithm = TRY(Text(header, "alg"));
  if (TRY(Text(header, "enc")) != "A256GCM") return Bad("enc is not A256GCM");
  if (out.algorithm == "RSA-OAEP-256") return out;
  if (out.algorithm != "ECDH-ES+A256KW") return Bad("alg is not ECDH-ES+A256KW or RSA-OAEP-256");
  const auto epk = header.find("epk");
  if (epk == header.end() || !epk->is_object()) return Bad("epk is missing");
  if (TRY(Text(*epk, "kty")) != "EC") return Bad("epk is not of kind EC");
  out.curve = TRY(Text(*epk, "crv"));
  const std::string x = TRY(Text(*epk, "x"));
  const std::string y = TRY(Text(*epk, "y"));
  out.ephemeral = TRY_CONTEXT(EcPublicKey(out.curve, x, y), "jwe: epk");
  return out;
}

// Concat KDF (RFC 7518, 4.6.2) for 256 bits: one round of SHA-256.
Result<Secret> DeriveKey(EVP_PKEY* own, EVP_PKEY* peer) {
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr), &EVP_PKEY_CTX_free);
  std::size_t length = 0;
  if (context == nullptr || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||
      EVP_PKEY_derive(context.get(), nullptr, &length) != 1) {
    return Undecryptable();
  }
  Secret shared = TRY(Secret::Make(length));
  if (EVP_PKEY_derive(context.get(), shared.bytes().data(), &length) != 1) return Undecryptable();
  constexpr std::string_view kAlgorithm = "ECDH-ES+A256KW";
  const std::array<std::uint8_t, 4> round = {0, 0, 0, 1};
  const std::array<std::uint8_t, 4> algorithm_length = {0, 0, 0, kAlgorithm.size()};
  const std::array<std::uint8_t, 12> rest = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(),
                                                                  &EVP_MD_CTX_free);
  Secret key = TRY(Secret::Make(kKeyBytes));
  const auto add = [&](const void* data, std::size_t size) {
    return EVP_DigestUpdate(digest.get(), data, size) == 1;
  };
  const bool done = digest != nullptr &&
                    EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr) == 1 &&
                    add(round.data(), round.size()) && add(shared.view().data(), length) &&
                    add(algorithm_length.data(), algorithm_length.size()) &&
                    add(kAlgorithm.data(), kAlgorithm.size()) && add(rest.data(), rest.size()) &&
                    EVP_DigestFinal_ex(digest.get(), key.bytes().data(), nullptr) == 1;
  if (!done) return Undecryptable();
  return key;
}

// AES key unwrap, RFC 3394.
Result<Secret> UnwrapAes(const Secret& wrapping, ByteView wrapped) {
  if (wrapped.size() != kKeyBytes + 8) return Undecryptable();
  const CipherContext context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  Secret key = TRY(Secret::Make(wrapped.size()));
  if (context == nullptr) return Undecryptable();
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  int length = 0;
  if (EVP_DecryptInit_ex(context.get(), EVP_aes_256_wrap(), nullptr, wrapping.view().data(),
                         nullptr) != 1 ||
      EVP_DecryptUpdate(context.get(), key.bytes().data(), &length, wrapped.data(),
                        static_cast<int>(wrapped.size())) != 1 ||
      length != static_cast<int>(kKeyBytes)) {
    return Undecryptable();
  }
  key.Shrink(kKeyBytes);
  return key;
}

Result<Secret> UnwrapRsa(EVP_PKEY* own, ByteView wrapped) {
  const PkeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr), &EVP_PKEY_CTX_free);
  std::size_t length = static_cast<std::size_t>(EVP_PKEY_get_size(own));
  Secret key = TRY(Secret::Make(length));
  if (context == nullptr || EVP_PKEY_decrypt_init(context.get()) != 1 ||
      EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
      EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) != 1 ||
      EVP_PKEY_decrypt(context.get(), key.bytes().data(), &length, wrapped.data(),
                       wrapped.size()) != 1 ||
      length != kKeyBytes) {
    return Undecryptable();
  }
  key.Shrink(kKeyBytes);
  return key;
}

}  // namespace

Result<Jwe> ParseJwe(std::string_view text) {
  if (text.size() > kMaxJweBytes) return Bad("larger than 4 MiB");
  const json object = TRY_CONTEXT(oci::ParseStrictJson(text, {kMaxJweBytes, 4}), "jwe");
  if (!object.is_object()) return Bad("not an object");
  Jwe out;
  out.protected_header = TRY(Text(object, "protected"));
  if (object.contains("aad")) out.aad = TRY(Text(object, "aad"));
  out.encrypted_key = TRY(Field(object, "encrypted_key"));
  out.iv = TRY(Field(object, "iv"));
  out.ciphertext = TRY(Field(object, "ciphertext"));
  out.tag = TRY(Field(object, "tag"));
  return out;
}

Result<Secret> DecryptGcm(ByteView key, const GcmParts& parts) {
  if (key.size() != kKeyBytes || parts.iv.size() != kIvBytes || parts.tag.size() != kTagBytes) {
    return Undecryptable();
  }
  const CipherContext context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  Secret out = TRY(Secret::Make(parts.ciphertext.size()));
  Bytes tag(parts.tag.begin(), parts.tag.end());
  std::array<std::uint8_t, kTagBytes> end{};
  int length = 0;
  const bool done =
      context != nullptr &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), parts.iv.data()) ==
          1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &length, parts.aad.data(),
                        static_cast<int>(parts.aad.size())) == 1 &&
      (parts.ciphertext.empty() ||
       EVP_DecryptUpdate(context.get(), out.bytes().data(), &length, parts.ciphertext.data(),
                         static_cast<int>(parts.ciphertext.size())) == 1) &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), end.data(), &length) == 1;
  if (!done) return Undecryptable();
  return out;
}

Result<Secret> DecryptJwe(const Jwe& jwe, const TeeKey& key) {
  const Header header = TRY(ParseHeader(jwe.protected_header));
  if (header.algorithm != key.algorithm()) return Bad("alg is not that of this guest's key");
  if (header.curve != key.curve()) return Bad("epk is on another curve than this guest's key");
  Secret content_key;
  if (header.ephemeral != nullptr) {
    const Secret wrapping = TRY(DeriveKey(key.get(), header.ephemeral.get()));
    content_key = TRY(UnwrapAes(wrapping, jwe.encrypted_key));
  } else {
    content_key = TRY(UnwrapRsa(key.get(), jwe.encrypted_key));
  }
  std::string aad = jwe.protected_header;
  if (!jwe.aad.empty()) aad += "." + jwe.aad;
  return DecryptGcm(content_key.view(), {jwe.iv, AsBytes(aad), jwe.ciphertext, jwe.tag});
}

}  // namespace kata_cc::agent
