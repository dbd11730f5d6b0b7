// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/did_x509.h"

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/encoding.h"

namespace kata_cc::cose {
namespace {

using Words = std::vector<std::string_view>;

Words Split(std::string_view text, std::string_view separator) {
  Words words;
  for (;;) {
    const std::size_t at = text.find(separator);
    words.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return words;
    text.remove_prefix(at + separator.size());
  }
}

// Percent-decoding; a '%' that begins no pair of digits makes it nobody's value.
std::optional<std::string> Unquote(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const Result<Bytes> byte = HexDecode(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return std::nullopt;
    out += static_cast<char>((*byte)[0]);
    i += 2;
  }
  return out;
}

std::string Quote(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    const auto byte = static_cast<std::uint8_t>(c);
    out += plain ? std::string(1, c) : "%" + HexEncode(ByteView(&byte, 1));
  }
  return out;
}

const EVP_MD* DigestByName(std::string_view name) {
  if (name == "sha256") return EVP_sha256();
  if (name == "sha384") return EVP_sha384();
  if (name == "sha512") return EVP_sha512();
  return nullptr;
}

std::string Fingerprint(const X509* x509, const EVP_MD* digest) {
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (X509_digest(x509, digest, out.data(), &size) != 1) return "";
  return Base64UrlEncode(ByteView(out).first(size));
}

std::string AsUtf8(const ASN1_STRING* value) {
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, value);
  if (size < 0) return "";
  std::string out(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return out;
}

bool HasEku(const X509* leaf, std::string_view oid) {
  auto* usages =
      static_cast<EXTENDED_KEY_USAGE*>(X509_get_ext_d2i(leaf, NID_ext_key_usage, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_ASN1_OBJECT_num(usages) && !found; ++i) {
    char text[128] = {};
    const int size = OBJ_obj2txt(text, sizeof text, sk_ASN1_OBJECT_value(usages, i), 1);
    found = size > 0 && static_cast<std::size_t>(size) < sizeof text && text == oid;
  }
  sk_ASN1_OBJECT_pop_free(usages, ASN1_OBJECT_free);
  return found;
}

bool HasSubject(const X509* leaf, std::string_view key, std::string_view quoted) {
  static constexpr std::pair<std::string_view, int> kNames[] = {{"CN", NID_commonName},
                                                                {"L", NID_localityName},
                                                                {"ST", NID_stateOrProvinceName},
                                                                {"O", NID_organizationName},
                                                                {"OU", NID_organizationalUnitName},
                                                                {"C", NID_countryName},
                                                                {"STREET", NID_streetAddress}};
  const auto* const name = std::find_if(std::begin(kNames), std::end(kNames),
                                        [&](const auto& entry) { return entry.first == key; });
  const std::optional<std::string> value = Unquote(quoted);
  if (name == std::end(kNames) || !value) return false;
  X509_NAME* subject = X509_get_subject_name(leaf);
  for (int i = -1; (i = X509_NAME_get_index_by_NID(subject, name->second, i)) >= 0;) {
    if (AsUtf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i))) == *value) return true;
  }
  return false;
}

bool HasSan(const X509* leaf, std::string_view kind, std::string_view quoted) {
  const int type = kind == "dns"     ? GEN_DNS
                   : kind == "email" ? GEN_EMAIL
                   : kind == "uri"   ? GEN_URI
                                     : -1;
  const std::optional<std::string> value = Unquote(quoted);
  if (type < 0 || !value) return false;
  auto* names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    found = name->type == type && AsUtf8(name->d.ia5) == *value;
  }
  GENERAL_NAMES_free(names);
  return found;
}

bool Fulfils(const X509* leaf, const Words& policy) {
  if (policy[0] == "eku") return policy.size() == 2 && HasEku(leaf, policy[1]);
  if (policy[0] == "san") return policy.size() == 3 && HasSan(leaf, policy[1], policy[2]);
  if (policy[0] != "subject" || policy.size() < 3 || policy.size() % 2 == 0) return false;
  for (std::size_t i = 1; i < policy.size(); i += 2)
    if (!HasSubject(leaf, policy[i], policy[i + 1])) return false;
  return true;
}

}  // namespace

bool MatchesDid(std::string_view did, std::span<const X509Ptr> chain) {
  const Words parts = Split(did, "::");
  const Words prefix = Split(parts[0], ":");
  if (parts.size() < 2 || prefix.size() != 5 || chain.size() < 2 || prefix[0] != "did" ||
      prefix[1] != "x509" || prefix[2] != "0") {
    return false;
  }
  const EVP_MD* const digest = DigestByName(prefix[3]);
  if (digest == nullptr || prefix[4].empty()) return false;
  const bool authority =
      std::any_of(chain.begin() + 1, chain.end(), [&](const X509Ptr& certificate) {
        return Fingerprint(certificate.get(), digest) == prefix[4];
      });
  return authority && std::all_of(parts.begin() + 1, parts.end(), [&](std::string_view policy) {
           return Fulfils(chain[0].get(), Split(policy, ":"));
         });
}

Result<std::string> MakeDid(std::span<const X509Ptr> chain) {
  if (chain.size() < 2) {
    return Error(Code::kInvalidArgument, "did:x509: needs the signer's certificate and its issuer");
  }
  X509_NAME* subject = X509_get_subject_name(chain[0].get());
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return Error(Code::kInvalidArgument, "did:x509: the signer has no common name");
  const std::string name = AsUtf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  return "did:x509:0:sha256:" + Fingerprint(chain.back().get(), EVP_sha256()) +
         "::subject:CN:" + Quote(name);
}

}  // namespace kata_cc::cose
