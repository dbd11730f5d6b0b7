// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/kbs_client.h"

#include <nlohmann/json.hpp>

#include "agent/kbs/jwe.h"
#include "agent/kbs/kbs_messages.h"
#include "proto/snp/verify/report_json.h"

namespace kata_cc::agent {
namespace {

constexpr int kOk = 200;
constexpr int kUnauthorized = 401;

Error Refused(const BrokerResponse& response) {
  const std::string why = "kbs: " + DescribeRefusal(response.status, response.body);
  if (response.status == 404) return {Code::kNotFound, why};
  if (response.status >= 500) return {Code::kUnavailable, why};
  return {Code::kPermissionDenied, why};
}

std::pair<std::string, std::string> Cookie(const std::string& session) {
  return {"Cookie", "kbs-session-id=" + session};
}

}  // namespace

KbsClient::KbsClient(std::unique_ptr<BrokerTransport> transport, Attester& attester,
                     std::optional<std::string> initdata, MakeKey make_key)
    : transport_(std::move(transport)),
      attester_(attester),
      initdata_(std::move(initdata)),
      make_key_(make_key) {}

Result<KbsClient::Session> KbsClient::Attest() {
  const std::pair<std::string, std::string> json_body = {"Content-Type", "application/json"};
  const BrokerResponse auth =
      TRY(transport_->Exchange({"POST", "/kbs/v0/auth", {json_body}, AuthRequest()}));
  if (auth.status != kOk) return Refused(auth);
  const Challenge challenge = TRY(ParseChallenge(auth.body));
  std::string cookie = TRY(ParseSessionCookie(auth.set_cookie));

  TeeKey key = TRY(make_key_());
  const nlohmann::json public_key = TRY(key.PublicJwk());
  Attestation attestation;
  attestation.runtime_data = RuntimeData(challenge, public_key);
  attestation.initdata = initdata_;
  const ReportData report_data = TRY(RuntimeDataDigest(attestation.runtime_data, challenge.hash));
  const GuestReport report = TRY(attester_.GetReport(report_data));
  const snp::Report parsed = TRY(snp::ParseReport(report.report));
  attestation.evidence = snp::EvidenceToJson(parsed, report.certs);
  const BrokerResponse attest = TRY(transport_->Exchange(
      {"POST", "/kbs/v0/attest", {json_body, Cookie(cookie)}, AttestRequest(attestation)}));
  if (attest.status != kOk) return Refused(attest);
  std::string token = TRY(ParseAttestResponse(attest.body));
  return Session{std::move(cookie), std::move(token), std::move(key)};
}

Result<BrokerResponse> KbsClient::Fetch(const ResourceUri& uri, const Session& session) {
  return transport_->Exchange({"GET", uri.HttpPath(), {Cookie(session.cookie)}, ""});
}

Result<Secret> KbsClient::GetResource(const ResourceUri& uri) {
  const std::lock_guard lock(mutex_);
  // A session may have ended on the broker's side; one that is new may not.
  const bool had_session = session_.has_value();
  if (!had_session) session_.emplace(TRY(Attest()));
  BrokerResponse response = TRY(Fetch(uri, *session_));
  if (response.status == kUnauthorized && had_session) {
    session_.reset();
    session_.emplace(TRY(Attest()));
    response = TRY(Fetch(uri, *session_));
  }
  if (response.status != kOk) return Refused(response);
  const Jwe jwe = TRY_CONTEXT(ParseJwe(response.body), "kbs");
  return TRY_CONTEXT(DecryptJwe(jwe, session_->key), "kbs");
}

Result<KbsClient::Token> KbsClient::GetToken() {
  const std::lock_guard lock(mutex_);
  Session session = TRY(Attest());
  Secret key = TRY(session.key.Pem());
  return Token{std::move(session.token), std::move(key)};
}

}  // namespace kata_cc::agent
