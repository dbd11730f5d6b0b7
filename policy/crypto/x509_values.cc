// SPDX-License-Identifier: Apache-2.0
#include "policy/crypto/x509_values.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "policy/engine/builtins/builtin.h"
#include "policy/engine/builtins/ip_network.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/time_layout.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::BuiltinError;
using policy::Value;

constexpr int kMaxBits = 16'384;  // As OpenSSL's of a modulus.

std::string TextOf(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string out(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return policy::ValidUtf8(out);
}

std::string TimeOf(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return {};
  const policy::CivilTime civil{fields.tm_year + 1900,
                                fields.tm_mon + 1,
                                fields.tm_mday,
                                fields.tm_hour,
                                fields.tm_min,
                                fields.tm_sec,
                                0};
  return policy::FormatTime(policy::NamedLayout("RFC3339"), civil, {0, "UTC", true});
}

Value OidArray(const ASN1_OBJECT* object) {
  std::array<char, 256> text{};
  OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
  std::vector<Value> parts;
  std::int64_t part = 0;
  for (const char* at = text.data();; ++at) {
    if (*at >= '0' && *at <= '9' && part < 1'000'000'000) {
      part = part * 10 + (*at - '0');
      continue;
    }
    parts.push_back(Value::Int(part));
    part = 0;
    if (*at == '\0') break;
  }
  return Value::Array(std::move(parts));
}

struct AlternativeNames {
  std::vector<std::string> dns, emails, ips, uris;
};

AlternativeNames NamesOf(const GENERAL_NAMES* names) {
  AlternativeNames out;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    const auto ia5 = [name] {
      return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.ia5)),
                         static_cast<std::size_t>(ASN1_STRING_length(name->d.ia5)));
    };
    if (name->type == GEN_DNS) out.dns.push_back(ia5());
    if (name->type == GEN_EMAIL) out.emails.push_back(ia5());
    if (name->type == GEN_URI) out.uris.push_back(ia5());
    if (name->type == GEN_IPADD) {
      const unsigned char* data = ASN1_STRING_get0_data(name->d.iPAddress);
      const int size = ASN1_STRING_length(name->d.iPAddress);
      policy::IpAddress ip;
      if (size != 4 && size != 16) continue;
      ip.is_v4 = size == 4;
      std::copy(data, data + size, ip.bytes.end() - size);
      out.ips.push_back(policy::IpText(ip));
    }
  }
  return out;
}

void AddNames(const AlternativeNames& names, Object& out) {
  out.AddTexts("DNSNames", names.dns);
  out.AddTexts("EmailAddresses", names.emails);
  out.AddTexts("IPAddresses", names.ips);
  std::vector<Value> uris;
  for (const std::string& text : names.uris) {
    const auto url = policy::ParseUrl(text);
    if (!url) continue;
    Object one;
    one.AddText("Scheme", url->scheme);
    one.AddText("Opaque", url->opaque);
    one.Add("User", Value());
    one.AddText("Host", url->port.empty() ? url->host : url->host + ":" + url->port);
    one.AddText("Path", url->path);
    one.AddText("RawPath", "");
    one.Add("OmitHost", Value::Bool(false));
    one.Add("ForceQuery", Value::Bool(false));
    one.AddText("RawQuery", url->raw_query);
    one.AddText("Fragment", url->fragment);
    one.AddText("RawFragment", "");
    uris.push_back(one.Done());
  }
  out.Add("URIs", uris.empty() ? Value() : Value::Array(std::move(uris)));
}

std::string DerOf(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size > 0 ? size : 0));
  OPENSSL_free(der);
  return out;
}

}  // namespace

void Object::AddTexts(std::string_view key, const std::vector<std::string>& texts) {
  std::vector<Value> items;
  for (const std::string& text : texts)
    items.push_back(Value::String(policy::ValidUtf8(text)));
  Add(key, items.empty() ? Value() : Value::Array(std::move(items)));
}

Result<Value> BigOf(const BIGNUM* number) {
  if (number == nullptr) return BuiltinError("x509: a number is missing");
  if (BN_num_bits(number) > kMaxBits) return BuiltinError("x509: a number is too large");
  char* text = BN_bn2dec(number);
  auto value = policy::BigInt::Parse(text != nullptr ? text : "0");
  OPENSSL_free(text);
  return Value::Number(value.value_or(policy::BigInt()));
}

Value NameOf(const X509_NAME* name) {
  constexpr std::pair<int, std::string_view> kLists[] = {
      {NID_countryName, "Country"},
      {NID_organizationName, "Organization"},
      {NID_organizationalUnitName, "OrganizationalUnit"},
      {NID_localityName, "Locality"},
      {NID_stateOrProvinceName, "Province"},
      {NID_streetAddress, "StreetAddress"},
      {NID_postalCode, "PostalCode"}};
  std::map<int, std::vector<std::string>> found;
  std::vector<Value> names;
  for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
    const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
    const ASN1_OBJECT* type = X509_NAME_ENTRY_get_object(entry);
    const std::string text = TextOf(X509_NAME_ENTRY_get_data(entry));
    found[OBJ_obj2nid(type)].push_back(text);
    Object one;
    one.Add("Type", OidArray(type));
    one.AddText("Value", text);
    names.push_back(one.Done());
  }
  Object out;
  for (const auto& [nid, key] : kLists)
    out.AddTexts(key, found[nid]);
  const auto last = [&found](int nid) { return found[nid].empty() ? "" : found[nid].back(); };
  out.AddText("CommonName", last(NID_commonName));
  out.AddText("SerialNumber", last(NID_serialNumber));
  out.Add("Names", names.empty() ? Value() : Value::Array(std::move(names)));
  out.Add("ExtraNames", Value());
  return out.Done();
}

void AddAlternativeNames(const GENERAL_NAMES* names, Object& out) {
  AddNames(NamesOf(names), out);
}

Result<Value> CertificateValue(X509* certificate) {
  Object out;
  const std::string der = DerOf(certificate);
  out.AddText("Raw", policy::EncodeBase64(der, policy::Base64::kStandard));
  out.Add("Version", Value::Int(X509_get_version(certificate) + 1));
  const BigNumber serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  out.Add("SerialNumber", TRY(BigOf(serial.get())));
  out.Add("Issuer", NameOf(X509_get_issuer_name(certificate)));
  out.Add("Subject", NameOf(X509_get_subject_name(certificate)));
  out.AddText("NotBefore", TimeOf(X509_get0_notBefore(certificate)));
  out.AddText("NotAfter", TimeOf(X509_get0_notAfter(certificate)));
  const std::uint32_t flags = X509_get_extension_flags(certificate);
  out.Add("IsCA", Value::Bool((flags & EXFLAG_CA) != 0));
  out.Add("BasicConstraintsValid", Value::Bool((flags & EXFLAG_BCONS) != 0));
  const long path_length = X509_get_pathlen(certificate);
  out.Add("MaxPathLen", Value::Int(path_length));
  out.Add("MaxPathLenZero", Value::Bool(path_length == 0));
  const std::uint32_t usage = X509_get_key_usage(certificate);
  // Go numbers the usages from the first bit of the DER, which OpenSSL has at 0x80.
  std::int64_t go_usage = 0;
  for (unsigned bit = 0; usage != UINT32_MAX && bit < 8; ++bit) {
    if ((usage & (0x80U >> bit)) != 0) go_usage |= std::int64_t{1} << bit;
  }
  out.Add("KeyUsage", Value::Int(go_usage));
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const AlternativeNames alternative = NamesOf(names.get());
  AddNames(alternative, out);
  out.AddTexts("URIStrings", alternative.uris);
  return out.Done();
}

}  // namespace kata_cc::policy_crypto
