// SPDX-License-Identifier: Apache-2.0
#include "agent/api/handler.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/encoding.h"
#include "base/log.h"
#include "proto/oci/strict_json.h"

namespace kata_cc::agent {

using nlohmann::json;

namespace {

constexpr const char* kVersion = "0.1.0";
constexpr const char* kOctets = "application/octet-stream";
constexpr const char* kJson = "application/json";
constexpr std::string_view kResources = "/cdh/resource/";

ApiResponse Plain(int status, std::string body) {
  return {status, "", std::move(body), std::nullopt};
}
ApiResponse BadRequest() {
  return Plain(400, "BAD REQUEST");
}
ApiResponse NotFound() {
  return Plain(404, "URL NOT FOUND");
}

// The workload is the pod owner's: it may know why.
ApiResponse Failed(const Error& error) {
  Log(LogLevel::kWarn, "a request to the local API failed", {{field::kError, error.message()}});
  return Plain(500, error.message());
}

std::string Parameter(const http::Request& request, const char* name) {
  const auto it = request.query.find(name);
  return it == request.query.end() ? std::string() : it->second;
}

// "/cdh/resource/repo/type/tag" as a resource of the broker.
std::optional<ResourceUri> ResourceOf(std::string_view path) {
  if (!path.starts_with(kResources)) return std::nullopt;
  Result<ResourceUri> uri =
      ParseResourceUri("kbs:///" + std::string(path.substr(kResources.size())));
  if (!uri || uri->path.size() != 3) return std::nullopt;
  return *std::move(uri);
}

}  // namespace

ApiHandler::ApiHandler(ApiBackend& backend, ApiFeatures features, Allowed allowed)
    : backend_(backend), features_(features), allowed_(std::move(allowed)) {}

ApiResponse ApiHandler::Handle(const http::Request& request, bool loopback) {
  if (!loopback) return Plain(403, "Forbidden");
  json input = {{"method", request.method}, {"path", request.path}};
  if (request.path.starts_with(kResources)) {
    input["resource"] = "kbs:///" + request.path.substr(kResources.size());
  }
  if (!allowed_(input)) return Plain(403, "blocked by policy");
  if (request.path == "/info") return Info(request);
  if (request.path.starts_with("/aa/")) return AttestationAgent(request);
  if (request.path.starts_with(kResources)) return Resource(request);
  return NotFound();
}

ApiResponse ApiHandler::Info(const http::Request& request) const {
  if (request.method != "GET") return Plain(405, "METHOD NOT ALLOWED");
  json out = {{"version", kVersion},
              {"feature", features_.attestation && features_.resource ? "all"
                          : features_.attestation                     ? "attestation"
                                                                      : "resource"}};
  if (features_.attestation) {
    out["tee"] = "snp";
    out["additional_tees"] = json::array();
  }
  return {200, kJson, out.dump(), std::nullopt};
}

ApiResponse ApiHandler::AttestationAgent(const http::Request& request) {
  if (!features_.attestation) return NotFound();
  const bool get = request.method == "GET";
  if (get && request.path == "/aa/evidence") return Evidence(request);
  if (get && request.path == "/aa/additional-evidence") return Plain(200, "");
  if (get && request.path == "/aa/token") return Token(request);
  if (request.method == "POST" && request.path == "/aa/aael") return EventLog(request);
  return NotFound();
}

ApiResponse ApiHandler::Evidence(const http::Request& request) {
  const std::string encoding = Parameter(request, "encoding");
  const auto given = request.query.find("runtime_data");
  if (given == request.query.end() || (!encoding.empty() && encoding != "base64")) {
    return BadRequest();
  }
  Bytes data(given->second.begin(), given->second.end());
  if (encoding == "base64") {
    Result<Bytes> decoded = Base64UrlDecode(given->second);
    if (!decoded) return BadRequest();
    data = *std::move(decoded);
  }
  ReportData report_data{};
  if (data.size() > report_data.size()) return BadRequest();
  std::copy(data.begin(), data.end(), report_data.begin());
  Result<std::string> evidence = backend_.Evidence(report_data);
  if (!evidence) return Failed(evidence.error());
  return {200, kOctets, *std::move(evidence), std::nullopt};
}

ApiResponse ApiHandler::Token(const http::Request& request) {
  if (Parameter(request, "token_type") != "kbs") return BadRequest();
  Result<KbsClient::Token> token = backend_.Token();
  if (!token) return Failed(token.error());
  // {"token": ..., "tee_keypair": ...}: by hand, in locked memory, for it has the private key.
  const std::string head = "{\"token\":\"" + token->jwt + "\",\"tee_keypair\":\"";
  const std::string_view pem = token->key.text();
  const auto lines = static_cast<std::size_t>(std::count(pem.begin(), pem.end(), '\n'));
  Result<Secret> out = Secret::Make(head.size() + pem.size() + lines + 2);
  if (!out) return Failed(out.error());
  auto at = std::copy(head.begin(), head.end(), out->bytes().begin());
  for (const char c : pem) {
    if (c == '\n') *at++ = '\\';
    *at++ = static_cast<std::uint8_t>(c == '\n' ? 'n' : c);
  }
  *at++ = '"';
  *at++ = '}';
  return {200, kOctets, "", *std::move(out)};
}

// SNP has no registers to extend at run time: the event is taken, and the answer says so.
ApiResponse ApiHandler::EventLog(const http::Request& request) {
  const Result<json> event = oci::ParseStrictJson(request.body, {std::size_t{64} << 10, 4});
  if (!event || !event->is_object()) return Plain(500, "not an event");
  for (const char* name : {"domain", "operation", "content"}) {
    const auto it = event->find(name);
    if (it == event->end() || !it->is_string()) return Plain(500, "not an event");
  }
  return {200, kJson, R"({"result":"NOT_ENABLED"})", std::nullopt};
}

ApiResponse ApiHandler::Resource(const http::Request& request) {
  if (!features_.resource) return NotFound();
  if (request.method != "GET") return Plain(405, "METHOD NOT ALLOWED");
  const std::optional<ResourceUri> uri = ResourceOf(request.path);
  if (!uri) return NotFound();
  Result<Secret> secret = backend_.Resource(*uri);
  if (!secret) return Failed(secret.error());
  return {200, kOctets, "", *std::move(secret)};
}

}  // namespace kata_cc::agent
