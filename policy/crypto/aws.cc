// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4: providers.aws.sign_req. Nothing is sent.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#include <algorithm>
#include <array>
#include <map>

#include "policy/crypto/families.h"
#include "policy/crypto/openssl.h"
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
using policy::OperandError;
using policy::Operands;
using policy::StringMember;
using policy::Value;

using Headers = std::map<std::string, std::string>;

Result<void> Require(const Value& object, std::initializer_list<std::string_view> keys,
                     std::size_t operand, std::string_view what) {
  std::vector<Value> missing;
  for (std::string_view key : keys) {
    if (object.Find(key) == nullptr) missing.push_back(Value::String(key));
  }
  if (missing.empty()) return {};
  return OperandError(operand, "missing required " + std::string(what) + " parameters(s): " +
                                   policy::ToTermText(Value::Set(std::move(missing))));
}

struct Times {
  std::string date, time;  // 20151228, 20151228T140825Z
};

Result<Times> TimesOperand(Operands x) {
  const auto ns = x[2].is_number() ? x[2].ToInt64() : std::nullopt;
  if (!ns || *ns < 0) {
    return OperandError(3, "could not convert time_ns value into a unix timestamp");
  }
  const policy::CivilTime civil = policy::CivilFromSeconds(*ns / 1'000'000'000, 0);
  return Times{policy::FormatTime("20060102", civil, {0, "UTC", true}),
               policy::FormatTime("20060102T150405Z", civil, {0, "UTC", true})};
}

std::string Sha256Hex(std::string_view text) {
  return policy::EncodeHex(Digest(EVP_sha256(), text));
}

// The path as in the URL, what may not stand there escaped.
std::string EscapedPath(std::string_view raw) {
  std::string out;
  for (char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~/%!$&'()*+,;=:@").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
      continue;
    }
    out += '%';
    out += "0123456789ABCDEF"[byte >> 4U];
    out += "0123456789ABCDEF"[byte & 15U];
  }
  return out;
}

// What is signed of the request's body.
std::string BodyText(const Value& request) {
  if (const Value* body = request.Find("body"); body != nullptr) return policy::ToJsonText(*body);
  return std::string(StringMember(request, "raw_body"));
}

std::string Trimmed(std::string_view text) {
  const std::size_t start = text.find_first_not_of(" \t");
  if (start == std::string_view::npos) return {};
  return std::string(text.substr(start, text.find_last_not_of(" \t") - start + 1));
}

BuiltinResult SignRequest(BuiltinContext& context, Operands x) {
  const Value* request = TRY(policy::ObjectOperand(x, 0));
  const Value* config = TRY(policy::ObjectOperand(x, 1));
  TRY(Require(*config, {"aws_access_key", "aws_region", "aws_secret_access_key", "aws_service"}, 2,
              "AWS config"));
  TRY(Require(*request, {"method", "url"}, 1, "request"));
  const Times times = TRY(TimesOperand(x));
  const std::string service(StringMember(*config, "aws_service"));
  const std::string region(StringMember(*config, "aws_region"));
  const auto url = policy::ParseUrl(StringMember(*request, "url"));
  if (!url) return BuiltinError(url.error().message());
  bool unsigned_payload = false;
  if (const Value* option = config->Find("disable_payload_signing"); option != nullptr) {
    if (!option->is_boolean()) {
      return OperandError(2, "invalid value for 'disable_payload_signing' in AWS config");
    }
    unsigned_payload = option->boolean();
  }
  const std::string body = BodyText(*request);
  TRY(policy::ChargeBytes(context, body.size() * 2 + 4096));

  // Headers of the request as they are, and those that signing adds.
  Headers signed_headers, added;
  std::vector<Member> headers;
  if (const Value* given = request->Find("headers"); given != nullptr && given->is_object()) {
    for (const Member& member : given->members()) {
      if (!member.key.is_string()) continue;
      // What is no string counts as empty, in the result too.
      const std::string value =
          member.value.is_string() ? Trimmed(member.value.string()) : std::string();
      headers.push_back(
          {member.key, member.value.is_string() ? member.value : Value::String(value)});
      const std::string name = policy::ToLower(member.key.string());
      if (name == "authorization" || name == "user-agent" || name == "x-amzn-trace-id") continue;
      signed_headers[name] = value;
    }
  }
  const bool s3 = service == "s3" || service == "s3express" || service == "glacier";
  std::string digest = unsigned_payload ? "UNSIGNED-PAYLOAD" : Sha256Hex(body);
  added["host"] = url->port.empty() ? url->host : url->host + ":" + url->port;
  added["x-amz-date"] = times.time;
  if (s3) added["x-amz-content-sha256"] = digest;
  const std::string_view token = StringMember(*config, "aws_session_token");
  if (!token.empty()) added["x-amz-security-token"] = token;
  // A header of the request wins over the one that signing would add.
  for (const auto& [name, value] : added)
    signed_headers.emplace(name, value);

  std::string names, lines;
  for (const auto& [name, value] : signed_headers) {
    names += (names.empty() ? "" : ";") + name;
    lines += name + ":" + value + "\n";
  }
  const std::string path = EscapedPath(url->raw_path);
  // Method, path and query are signed as they were given.
  const std::string canonical = std::string(StringMember(*request, "method")) + "\n" + path + "\n" +
                                std::string(url->raw_query) + "\n" + lines + "\n" + names + "\n" +
                                digest;
  const std::string scope = times.date + "/" + region + "/" + service + "/aws4_request";
  const std::string to_sign =
      "AWS4-HMAC-SHA256\n" + times.time + "\n" + scope + "\n" + Sha256Hex(canonical);
  std::string key = "AWS4" + std::string(StringMember(*config, "aws_secret_access_key"));
  for (const std::string& part : {times.date, region, service, std::string("aws4_request")}) {
    key = Hmac(EVP_sha256(), key, part);
  }
  added["Authorization"] =
      "AWS4-HMAC-SHA256 Credential=" + std::string(StringMember(*config, "aws_access_key")) + "/" +
      scope + ",SignedHeaders=" + names +
      ",Signature=" + policy::EncodeHex(Hmac(EVP_sha256(), key, to_sign));
  for (const auto& [name, value] : added) {
    headers.push_back({Value::String(name), Value::String(value)});
  }
  std::vector<Member> out(request->members().begin(), request->members().end());
  out.push_back({Value::String("headers"), Value::Object(std::move(headers))});
  return Value::Object(std::move(out));
}

}  // namespace

std::span<const Builtin> AwsBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"providers.aws.sign_req", 3, SignRequest},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy_crypto
