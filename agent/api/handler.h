// SPDX-License-Identifier: Apache-2.0
// ApiHandler: what the local API answers to a workload: paths, parameters and status codes of
// CoCo's api-server-rest. Each request is first put to the pod's policy.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "agent/attest/attester.h"
#include "agent/http/message.h"
#include "agent/kbs/kbs_client.h"
#include "agent/kbs/resource_uri.h"
#include "agent/secrets/secret.h"
#include "base/result.h"

namespace kata_cc::agent {

// What stands behind the API. Any thread; the calls block.
class ApiBackend {
 public:
  virtual ~ApiBackend() = default;
  virtual Result<std::string> Evidence(const ReportData& report_data) = 0;  // SnpEvidence, JSON.
  virtual Result<KbsClient::Token> Token() = 0;
  virtual Result<Secret> Resource(const ResourceUri& uri) = 0;
};

struct ApiFeatures {
  bool attestation = false;  // /aa/...
  bool resource = false;     // /cdh/resource/...
};

struct ApiResponse {
  int status = 200;
  std::string content_type;  // Empty: none.
  std::string body;
  std::optional<Secret> secret;  // In the body's place.
};

class ApiHandler {
 public:
  // Whether the policy allows {"method", "path"}, with "resource" for a secret of the key broker.
  using Allowed = std::function<bool(const nlohmann::json& input)>;

  // The backend outlives the handler.
  ApiHandler(ApiBackend& backend, ApiFeatures features, Allowed allowed);

  // Any thread. loopback: the peer is in the guest.
  ApiResponse Handle(const http::Request& request, bool loopback);

 private:
  ApiResponse Info(const http::Request& request) const;
  ApiResponse Evidence(const http::Request& request);
  ApiResponse Token(const http::Request& request);
  ApiResponse EventLog(const http::Request& request);
  ApiResponse Resource(const http::Request& request);
  ApiResponse AttestationAgent(const http::Request& request);

  ApiBackend& backend_;
  const ApiFeatures features_;
  const Allowed allowed_;
};

}  // namespace kata_cc::agent
