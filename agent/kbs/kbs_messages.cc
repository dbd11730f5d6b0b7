// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/kbs_messages.h"

#include <algorithm>
#include <array>
#include <utility>

#include "agent/attest/sha2.h"
#include "agent/kbs/jcs.h"
#include "base/encoding.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr const char* kVersion = "0.4.0";
constexpr std::string_view kCookie = "kbs-session-id=";

Error Bad(std::string_view why) {
  return {Code::kInvalidArgument, "kbs: " + std::string(why)};
}

Result<json> ParseObject(std::string_view text) {
  json object =
      TRY_CONTEXT(oci::ParseStrictJson(text, {kMaxKbsMessageBytes, 16}), "kbs: the answer");
  if (!object.is_object()) return Bad("the answer is no object");
  return Result<json>(std::move(object));
}

bool IsTokenText(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
  });
}

}  // namespace

std::string AuthRequest() {
  const json hashes = {"sha256", "sha384", "sha512"};
  return json{{"version", kVersion},
              {"tee", "snp"},
              {"extra-params", {{"supported-hash-algorithms", hashes}}}}
      .dump();
}

Result<Challenge> ParseChallenge(std::string_view text) {
  const json object = TRY(ParseObject(text));
  const auto nonce = object.find("nonce");
  if (nonce == object.end() || !nonce->is_string()) return Bad("the challenge has no nonce");
  Challenge out;
  out.nonce = nonce->get<std::string>();
  const Result<Bytes> bytes = Base64Decode(out.nonce);
  if (!bytes || bytes->size() < 16 || bytes->size() > 64) {
    return Bad("the challenge's nonce is not base64 of 16 to 64 bytes");
  }
  const auto parameters = object.find("extra-params");
  if (parameters == object.end() || !parameters->is_object()) return out;
  const auto hash = parameters->find("selected-hash-algorithm");
  if (hash == parameters->end()) return out;
  if (*hash != "sha256" && *hash != "sha384" && *hash != "sha512") {
    return Bad("the broker chose a hash that was not offered");
  }
  out.hash = hash->get<std::string>();
  return out;
}

json RuntimeData(const Challenge& challenge, const json& public_key,
                 std::string_view additional_evidence) {
  return {{"nonce", challenge.nonce},
          {"tee-pubkey", public_key},
          {"additional-evidence", additional_evidence}};
}

Result<ReportData> RuntimeDataDigest(const json& runtime_data, std::string_view hash) {
  const std::string text = TRY(CanonicalJson(runtime_data));
  const std::string digest = hash == "sha256"   ? Sha256(text)
                             : hash == "sha512" ? Sha512(text)
                                                : Sha384(text);
  ReportData out{};
  const ByteView bytes = AsBytes(digest);
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

std::string AttestRequest(const Attestation& attestation) {
  json runtime_data = attestation.runtime_data;
  const std::string additional = runtime_data.value("additional-evidence", "");
  runtime_data.erase("additional-evidence");
  json initdata;
  if (attestation.initdata) initdata = {{"format", "toml"}, {"body", *attestation.initdata}};
  return json{{"init-data", std::move(initdata)},
              {"runtime-data", std::move(runtime_data)},
              {"tee-evidence",
               {{"primary_evidence", attestation.evidence}, {"additional_evidence", additional}}}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::string> ParseAttestResponse(std::string_view text) {
  const json object = TRY(ParseObject(text));
  const auto token = object.find("token");
  if (token == object.end() || !token->is_string()) return Bad("the answer has no token");
  auto out = token->get<std::string>();
  const std::size_t first = out.find('.');
  const std::size_t last = out.rfind('.');
  if (first == std::string::npos || first == last ||
      !IsTokenText(std::string_view(out).substr(0, first)) ||
      !IsTokenText(std::string_view(out).substr(first + 1, last - first - 1)) ||
      !IsTokenText(std::string_view(out).substr(last + 1))) {
    return Bad("the token is not a JWT");
  }
  return out;
}

std::string DescribeRefusal(int status, std::string_view body) {
  std::string out = "the broker answers " + std::to_string(status);
  const Result<json> object = oci::ParseStrictJson(body, {std::size_t{16} << 10, 8});
  if (!object || !object->is_object()) return out;
  for (const char* name : {"type", "detail"}) {
    const auto it = object->find(name);
    if (it == object->end() || !it->is_string()) continue;
    std::string text = it->get<std::string>();
    text = text.substr(name == std::string_view("type") ? text.rfind('/') + 1 : 0).substr(0, 200);
    for (char& c : text)
      c = c >= ' ' && c <= '~' ? c : '?';
    out += ": " + text;
  }
  return out;
}

Result<std::string> ParseSessionCookie(std::string_view set_cookie) {
  if (!set_cookie.starts_with(kCookie)) return Bad("no session");
  set_cookie.remove_prefix(kCookie.size());
  const std::string_view value = set_cookie.substr(0, set_cookie.find(';'));
  if (!IsTokenText(value) || value.size() > 256) return Bad("a malformed session");
  return std::string(value);
}

}  // namespace kata_cc::agent
