// SPDX-License-Identifier: Apache-2.0
#include "agent/api/guest_secrets.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "agent/http/https_client.h"
#include "agent/kbs/kbs_config.h"
#include "proto/snp/verify/report_json.h"

namespace kata_cc::agent {
namespace {

class HttpsBroker : public BrokerTransport {
 public:
  explicit HttpsBroker(std::unique_ptr<http::HttpsClient> client) : client_(std::move(client)) {}
  Result<BrokerResponse> Exchange(const BrokerRequest& request) override {
    http::Request sent;
    sent.method = request.method;
    sent.path = request.path;
    sent.headers = request.headers;
    sent.body = request.body;
    http::Response response = TRY_CONTEXT(client_->Exchange(sent), "kbs");
    BrokerResponse out;
    out.status = response.status;
    out.set_cookie = http::Find(response.headers, "set-cookie");
    out.body = std::move(response.body);
    return out;
  }

 private:
  const std::unique_ptr<http::HttpsClient> client_;
};

}  // namespace

GuestSecrets::GuestSecrets(Attester* attester, std::unique_ptr<KbsClient> client)
    : attester_(attester),
      client_(std::move(client)),
      unsealer_([this](const ResourceUri& uri) { return Resource(uri); }, "") {}

Result<std::unique_ptr<GuestSecrets>> GuestSecrets::Create(
    Attester* attester, std::optional<std::string> document,
    const std::map<std::string, std::string>& data) {
  const std::optional<KbsConfig> config = TRY(ReadKbsConfig(data));
  std::unique_ptr<KbsClient> client;
  if (config && attester != nullptr) {
    http::HttpsClient::Options options;
    options.url = config->url;
    options.certificates = config->certificate;
    auto transport =
        std::make_unique<HttpsBroker>(TRY_CONTEXT(http::HttpsClient::Create(options), "kbs"));
    client = std::make_unique<KbsClient>(std::move(transport), *attester, std::move(document));
  }
  return std::unique_ptr<GuestSecrets>(new GuestSecrets(attester, std::move(client)));
}

Result<std::string> GuestSecrets::Evidence(const ReportData& report_data) {
  if (attester_ == nullptr) return Error(Code::kFailedPrecondition, "this guest has no TEE");
  const GuestReport report = TRY(attester_->GetReport(report_data));
  const snp::Report parsed = TRY(snp::ParseReport(report.report));
  return snp::EvidenceToJson(parsed, report.certs).dump();
}

Result<KbsClient::Token> GuestSecrets::Token() {
  if (client_ == nullptr) {
    return Error(Code::kFailedPrecondition, "no key broker: the initdata names none");
  }
  return client_->GetToken();
}

Result<Secret> GuestSecrets::Resource(const ResourceUri& uri) {
  if (client_ == nullptr) {
    return Error(Code::kFailedPrecondition, "no key broker: the initdata names none");
  }
  return client_->GetResource(uri);
}

}  // namespace kata_cc::agent
