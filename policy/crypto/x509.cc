// SPDX-License-Identifier: Apache-2.0
// Certificates: crypto.x509.*, but what has private keys.
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <optional>

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
using policy::Member;
using policy::Operands;
using policy::StringOperand;
using policy::Value;

constexpr std::uint64_t kVerifySteps = 50'000;
constexpr std::size_t kMaxCertificates = 64;

using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
struct StackFree {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};
using Stack = std::unique_ptr<STACK_OF(X509), StackFree>;

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

Result<Value> CertificateArray(const std::vector<Certificate>& certificates) {
  std::vector<Value> items;
  for (const Certificate& certificate : certificates) {
    items.push_back(TRY(CertificateValue(certificate.get())));
  }
  return Value::Array(std::move(items));
}

BuiltinResult ParseCertificatesBuiltin(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(kParseSteps + text.size() / 2, text.size() * 8));
  const auto certificates = TRY(ParseCertificates(text));
  return TRY(CertificateArray(certificates));
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
  return Value::Array({Value::Bool(true), TRY(CertificateArray(*chain))});
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
  AddAlternativeNames(names.get(), out);
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
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
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy_crypto
