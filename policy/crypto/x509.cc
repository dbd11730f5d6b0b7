// SPDX-License-Identifier: Apache-2.0
// Certificates and private keys: crypto.x509.*, crypto.parse_private_keys. Results have the member
// names that OPA's have, which are those of Go's structs.
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <map>

#include "policy/crypto/families.h"
#include "policy/crypto/keys.h"
#include "policy/engine/builtins/ip_network.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/time_layout.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy_crypto {
namespace {

using policy::Builtin;
using policy::BuiltinContext;
using policy::BuiltinError;
using policy::BuiltinResult;
using policy::Member;
using policy::Operands;
using policy::StringOperand;
using policy::Value;

constexpr std::uint64_t kParseSteps = 2'000;
constexpr std::uint64_t kVerifySteps = 50'000;
constexpr std::size_t kMaxCertificates = 64;

using GeneralNames = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
struct StackFree {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using Stack = std::unique_ptr<STACK_OF(X509), StackFree>;

class Object {
 public:
  void Add(std::string_view key, Value value) {
    members_.push_back({Value::String(key), std::move(value)});
  }
  void AddText(std::string_view key, std::string_view text) { Add(key, Value::String(text)); }
  // As Go's encoder: null for a slice that is nil.
  void AddTexts(std::string_view key, const std::vector<std::string>& texts) {
    std::vector<Value> items;
    for (const std::string& text : texts)
      items.push_back(Value::String(policy::ValidUtf8(text)));
    Add(key, items.empty() ? Value() : Value::Array(std::move(items)));
  }
  Value Done() { return Value::Object(std::move(members_)); }

 private:
  std::vector<Member> members_;
};

std::string TextOf(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string out(reinterpret_cast<char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return policy::ValidUtf8(out);
}

Value NumberOf(const ASN1_INTEGER* integer) {
  const BigNumber number(ASN1_INTEGER_to_BN(integer, nullptr));
  char* text = BN_bn2dec(number.get());
  auto value = policy::BigInt::Parse(text != nullptr ? text : "0");
  OPENSSL_free(text);
  return Value::Number(value.value_or(policy::BigInt()));
}

Value BigOf(const BIGNUM* number) {
  char* text = BN_bn2dec(number);
  auto value = policy::BigInt::Parse(text != nullptr ? text : "0");
  OPENSSL_free(text);
  return Value::Number(value.value_or(policy::BigInt()));
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

// Go's pkix.Name.
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

void AddAlternativeNames(const AlternativeNames& names, Object& out) {
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

Value CertificateValue(X509* certificate) {
  Object out;
  const std::string der = DerOf(certificate);
  out.AddText("Raw", policy::EncodeBase64(der, policy::Base64::kStandard));
  out.Add("Version", Value::Int(X509_get_version(certificate) + 1));
  out.Add("SerialNumber", NumberOf(X509_get0_serialNumber(certificate)));
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
  AddAlternativeNames(alternative, out);
  out.AddTexts("URIStrings", alternative.uris);
  return out.Done();
}

// Certificates in PEM or DER, in base64 or (PEM) as they are.
Result<std::vector<Certificate>> ParseCertificates(std::string_view text) {
  std::string bytes(text);
  if (text.substr(0, 11) != "-----BEGIN ") {
    bytes = TRY(policy::DecodeBase64(text, policy::Base64::kStandard));
  }
  std::string der;
  std::string_view rest = bytes;
  if (rest.find("-----BEGIN ") != std::string_view::npos) {
    while (const auto block = TakePem(&rest)) {
      if (block->type != "CERTIFICATE") {
        return BuiltinError("PEM block type is '" + block->type + "', expected CERTIFICATE");
      }
      der += block->der;
    }
  } else {
    der = std::move(bytes);
  }
  std::vector<Certificate> out;
  const unsigned char* at = Bytes(der);
  const unsigned char* end = at + der.size();
  while (at < end) {
    Certificate certificate(d2i_X509(nullptr, &at, end - at));
    if (certificate == nullptr) return BuiltinError("x509: malformed certificate");
    if (out.size() == kMaxCertificates) return BuiltinError("too many certificates");
    X509_check_purpose(certificate.get(), -1, 0);  // Fills in the flags.
    out.push_back(std::move(certificate));
  }
  return out;
}

Value CertificateArray(const std::vector<Certificate>& certificates) {
  std::vector<Value> items;
  for (const Certificate& certificate : certificates) {
    items.push_back(CertificateValue(certificate.get()));
  }
  return Value::Array(std::move(items));
}

BuiltinResult ParseCertificatesBuiltin(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(kParseSteps + text.size() / 2, text.size() * 8));
  const auto certificates = TRY(ParseCertificates(text));
  return CertificateArray(certificates);
}

struct VerifyOptions {
  std::string dns_name;
  std::int64_t time_ns = 0;
  std::vector<std::string> usages;
};

// Root first, then intermediates, the leaf last; gives the chain from the leaf up.
std::optional<std::vector<Certificate>> VerifyChain(const std::vector<Certificate>& certificates,
                                                    const VerifyOptions& options) {
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  const Stack intermediates(sk_X509_new_null());
  X509_STORE_add_cert(store.get(), certificates.front().get());
  for (std::size_t i = 1; i + 1 < certificates.size(); ++i) {
    sk_X509_push(intermediates.get(), certificates[i].get());
  }
  if (X509_STORE_CTX_init(context.get(), store.get(), certificates.back().get(),
                          intermediates.get()) != 1) {
    return std::nullopt;
  }
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, options.time_ns / 1'000'000'000);
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
  if (!options.dns_name.empty()) {
    X509_VERIFY_PARAM_set1_host(param, options.dns_name.data(), options.dns_name.size());
  }
  if (X509_verify_cert(context.get()) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  bool usage_fits = options.usages.empty();
  X509* leaf = certificates.back().get();
  const std::uint32_t extended = X509_get_extended_key_usage(leaf);
  constexpr std::pair<std::string_view, std::uint32_t> kUsages[] = {
      {"KeyUsageAny", UINT32_MAX},
      {"KeyUsageServerAuth", XKU_SSL_SERVER},
      {"KeyUsageClientAuth", XKU_SSL_CLIENT},
      {"KeyUsageCodeSigning", XKU_CODE_SIGN},
      {"KeyUsageEmailProtection", XKU_SMIME},
      {"KeyUsageTimeStamping", XKU_TIMESTAMP},
      {"KeyUsageOCSPSigning", XKU_OCSP_SIGN}};
  for (const std::string& usage : options.usages) {
    for (const auto& [name, bit] : kUsages) {
      usage_fits = usage_fits || (name == usage && (bit == UINT32_MAX || extended == UINT32_MAX ||
                                                    (extended & (bit | XKU_ANYEKU)) != 0));
    }
  }
  if (!usage_fits) return std::nullopt;
  std::vector<Certificate> chain;
  STACK_OF(X509)* found = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(found); ++i) {
    X509* one = sk_X509_value(found, i);
    X509_up_ref(one);
    chain.emplace_back(one);
  }
  return chain;
}

BuiltinResult ParseAndVerify(BuiltinContext& context, std::string_view text,
                             const VerifyOptions& options) {
  TRY(context.Charge(kParseSteps + text.size() / 2, text.size() * 8));
  const Value invalid = Value::Array({Value::Bool(false), Value::Array(std::vector<Value>())});
  const auto certificates = ParseCertificates(text);
  if (!certificates || certificates->size() < 2) return invalid;
  TRY(context.Charge(kVerifySteps * certificates->size()));
  const auto chain = VerifyChain(*certificates, options);
  if (!chain) return invalid;
  return Value::Array({Value::Bool(true), CertificateArray(*chain)});
}

BuiltinResult VerifyCertificates(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  VerifyOptions options;
  options.time_ns = context.now_ns();
  options.usages = {"KeyUsageServerAuth"};
  return ParseAndVerify(context, text, options);
}

BuiltinResult VerifyCertificatesWithOptions(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const Value* object = TRY(policy::ObjectOperand(x, 1));
  VerifyOptions options;
  options.time_ns = context.now_ns();
  options.usages = {"KeyUsageServerAuth"};
  for (const Member& member : object->members()) {
    const std::string_view key = member.key.is_string() ? member.key.string() : "";
    if (key == "DNSName") {
      if (!member.value.is_string()) return BuiltinError("'DNSName' should be a string");
      options.dns_name = member.value.string();
    } else if (key == "CurrentTime") {
      if (!member.value.is_number()) return BuiltinError("'CurrentTime' should be a number");
      const auto ns = member.value.ToInt64();
      if (!ns) return BuiltinError("'CurrentTime' should be a valid int64 number");
      options.time_ns = *ns;
    } else if (key == "MaxConstraintComparisons") {
      if (!member.value.is_number()) {
        return BuiltinError("'MaxConstraintComparisons' should be a number");
      }
    } else if (key == "KeyUsages") {
      if (!member.value.is_array() && !member.value.is_set()) {
        return BuiltinError("'KeyUsages' should be an Array or Set");
      }
      options.usages.clear();
      for (const Value& usage : member.value.items()) {
        if (!usage.is_string()) return BuiltinError("invalid entries for 'KeyUsages' found");
        options.usages.emplace_back(usage.string());
      }
    } else {
      return BuiltinError("invalid key option");
    }
  }
  return ParseAndVerify(context, text, options);
}

BuiltinResult ParseRequest(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(kParseSteps + text.size() / 2, text.size() * 4));
  std::string bytes(text);
  if (text.substr(0, 11) != "-----BEGIN ") {
    bytes = TRY(policy::DecodeBase64(text, policy::Base64::kStandard));
  }
  std::string_view rest = bytes;
  if (auto block = TakePem(&rest)) {
    if (block->type != "CERTIFICATE REQUEST") {
      return BuiltinError("invalid PEM-encoded certificate signing request");
    }
    bytes = std::move(block->der);
  }
  const unsigned char* at = Bytes(bytes);
  const CertificateRequest request(d2i_X509_REQ(nullptr, &at, static_cast<long>(bytes.size())));
  if (request == nullptr) return BuiltinError("asn1: structure error: no certificate request");
  Object out;
  out.AddText("Raw", policy::EncodeBase64(bytes, policy::Base64::kStandard));
  out.Add("Version", Value::Int(X509_REQ_get_version(request.get())));
  out.Add("Subject", NameOf(X509_REQ_get_subject_name(request.get())));
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request.get());
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  AddAlternativeNames(NamesOf(names.get()), out);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return out.Done();
}

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
Value GoPrivateKey(EVP_PKEY* key) {
  Object out;
  const int type = EVP_PKEY_get_base_id(key);
  if (type == EVP_PKEY_RSA) {
    out.Add("N", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_N).get()));
    out.Add("E", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_E).get()));
    out.Add("D", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_D).get()));
    out.Add("Primes", Value::Array({BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_FACTOR1).get()),
                                    BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_FACTOR2).get())}));
    Object precomputed;
    precomputed.Add("Dp", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_EXPONENT1).get()));
    precomputed.Add("Dq", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_EXPONENT2).get()));
    precomputed.Add("Qinv", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_RSA_COEFFICIENT1).get()));
    precomputed.Add("CRTValues", Value::Array(std::vector<Value>()));
    out.Add("Precomputed", precomputed.Done());
    return out.Done();
  }
  if (type == EVP_PKEY_EC) {
    out.Add("Curve", Value::SortedObject({}));
    out.Add("X", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_EC_PUB_X).get()));
    out.Add("Y", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_EC_PUB_Y).get()));
    out.Add("D", BigOf(KeyNumber(key, OSSL_PKEY_PARAM_PRIV_KEY).get()));
    return out.Done();
  }
  std::string seed(32, '\0'), point(32, '\0');
  std::size_t seed_size = seed.size(), point_size = point.size();
  EVP_PKEY_get_raw_private_key(key, Bytes(seed), &seed_size);
  EVP_PKEY_get_raw_public_key(key, Bytes(point), &point_size);
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
    keys.push_back(GoPrivateKey(key.get()));
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
  out.Add("Leaf", CertificateValue(leaf.get()));
  out.Add("PrivateKey", GoPrivateKey(key.get()));
  out.Add("OCSPStaple", Value());
  out.Add("SignedCertificateTimestamps", Value());
  out.Add("SupportedSignatureAlgorithms", Value());
  return out.Done();
}

}  // namespace

std::span<const Builtin> X509Builtins() {
  static constexpr std::array kBuiltins = {
      Builtin{"crypto.x509.parse_certificates", 1, ParseCertificatesBuiltin},
      Builtin{"crypto.x509.parse_and_verify_certificates", 1, VerifyCertificates, true},
      Builtin{"crypto.x509.parse_and_verify_certificates_with_options", 2,
              VerifyCertificatesWithOptions, true},
      Builtin{"crypto.x509.parse_certificate_request", 1, ParseRequest},
      Builtin{"crypto.x509.parse_keypair", 2, ParseKeyPair},
      Builtin{"crypto.x509.parse_rsa_private_key", 1, ParseRsaPrivateKey},
      Builtin{"crypto.parse_private_keys", 1, ParsePrivateKeys},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy_crypto
