// SPDX-License-Identifier: Apache-2.0
#include "agent/kbs/kbs_client.h"

#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>

#include "agent/kbs/kbs_messages.h"
#include "base/encoding.h"
#include "base/testing/vectors.h"

namespace kata_cc::agent {
namespace {

using nlohmann::json;

class FixedAttester : public Attester {
 public:
  std::string_view name() const override { return "a test"; }
  Bytes report, certs;
  ReportData asked{};

 private:
  Result<Raw> Fetch(const ReportData& report_data) override {
    asked = report_data;
    if (!report.empty()) return Raw{report, certs};
    snp::Report made;
    made.version = 3;
    made.report_data = report_data;
    const auto bytes = snp::EncodeReport(made);
    return Raw{Bytes(bytes.begin(), bytes.end()), {}};
  }
};

// Answers from a script, and keeps what it was asked.
class Script : public BrokerTransport {
 public:
  struct State {
    std::deque<Result<BrokerResponse>> answers;
    std::vector<BrokerRequest> requests;
  };
  explicit Script(State& state) : state_(state) {}
  Result<BrokerResponse> Exchange(const BrokerRequest& request) override {
    state_.requests.push_back(request);
    if (state_.answers.empty()) return Error(Code::kDeadlineExceeded, "the broker is late");
    Result<BrokerResponse> answer = std::move(state_.answers.front());
    state_.answers.pop_front();
    return answer;
  }

 private:
  State& state_;
};

BrokerResponse AnswerOf(const json& step) {
  const json& response = step.at("response");
  BrokerResponse out;
  out.status = response.at("status");
  out.body = response.at("body").dump();
  if (response.contains("headers")) out.set_cookie = response["headers"].value("Set-Cookie", "");
  return out;
}

void ExpectRequest(const BrokerRequest& request, const json& expected) {
  EXPECT_EQ(request.method, expected.at("method"));
  EXPECT_EQ(request.path, expected.at("path"));
  json headers = json::object();
  for (const auto& [name, value] : request.headers)
    headers[name] = value;
  EXPECT_EQ(headers, expected.at("headers"));
  if (!expected.contains("body") || expected["body"].is_null()) {
    EXPECT_EQ(request.body, "");
    return;
  }
  json body = expected.at("body");
  // The sample's client offers SM3, which this one does not have.
  if (body.contains("extra-params")) body["extra-params"]["supported-hash-algorithms"].erase(3);
  EXPECT_EQ(json::parse(request.body), body);
}

Bytes g_key;  // What LoadKey makes a key of: KbsClient takes a plain function.
Result<TeeKey> LoadKey() {
  return TeeKey::Load(g_key);
}

class Handshakes : public kata_cc::testing::VectorsTest {
 protected:
  void UseKey(const json& vectors, const std::string& name) {
    g_key = *Base64Decode(vectors.at("tee_keys").at(name).at("pkcs8_der_b64").get<std::string>());
  }
  void SetReport(const json& c) {
    attester_.report = Read(c.at("report"));
    attester_.certs = snp::EncodeCertTable({{*snp::CertTypeGuid("VCEK"), Read(c.at("vek"))}});
  }
  FixedAttester attester_;
  Script::State state_;
};

TEST_F(Handshakes, AreAsRecorded) {
  const json vectors = json::parse(AsString(Read("kbs.json")));
  int seen = 0;
  for (const json& c : vectors.at("handshakes")) {
    SCOPED_TRACE(c.at("id").get<std::string>());
    UseKey(vectors, c.at("tee_key"));
    SetReport(c);
    const json& steps = c.at("steps");
    const json& attest = steps.at(1).at("request").at("body");
    // What the report is about.
    Challenge challenge{attest.at("runtime-data").at("nonce"), "sha384"};
    const std::string additional = attest.at("tee-evidence").at("additional_evidence");
    const json runtime_data =
        RuntimeData(challenge, attest.at("runtime-data").at("tee-pubkey"), additional);
    EXPECT_EQ(HexEncode(*RuntimeDataDigest(runtime_data, "sha384")), c.at("report_data"));
    ++seen;
    if (!additional.empty()) continue;  // This client has none to give.

    std::optional<std::string> initdata;
    if (!attest.at("init-data").is_null()) initdata = attest["init-data"].at("body");
    state_ = {};
    for (const std::size_t i : {0, 1, 2, 4, 5})  // 3: the same with the token.
      state_.answers.push_back(AnswerOf(steps.at(i)));
    KbsClient client(std::make_unique<Script>(state_), attester_, initdata, &LoadKey);
    const auto secret = client.GetResource(*ParseResourceUri("kbs:///default/key/1"));
    ASSERT_TRUE(secret) << secret.error().message();
    EXPECT_EQ(Base64Encode(secret->view()), steps.at(2).at("plaintext_b64"));
    for (std::size_t i = 0; i < 3; ++i)
      ExpectRequest(state_.requests.at(i), steps.at(i).at("request"));
    EXPECT_EQ(HexEncode(attester_.asked), c.at("report_data"));

    // A refusal in a session that may have ended: once more from the beginning.
    state_.answers.insert(state_.answers.begin() + 1, AnswerOf(steps.at(0)));
    state_.answers.insert(state_.answers.begin() + 2, AnswerOf(steps.at(1)));
    state_.answers.insert(state_.answers.begin() + 3, AnswerOf(steps.at(4)));
    const auto missing = client.GetResource(*ParseResourceUri("kbs:///default/key/none"));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code(), Code::kPermissionDenied);
    EXPECT_EQ(missing.error().message(),
              "kbs: the broker answers 401: PluginInternalError: Plugin internal error");
    ExpectRequest(state_.requests.at(3), steps.at(4).at("request"));
    EXPECT_EQ(state_.requests.at(4).path, "/kbs/v0/auth");
    const auto plugin = client.GetResource(*ParseResourceUri("kbs+nosuchplugin:///a/b/c"));
    EXPECT_EQ(plugin.error().code(), Code::kNotFound);
    ExpectRequest(state_.requests.back(), steps.at(5).at("request"));
  }
  EXPECT_EQ(seen, 4);
}

TEST_F(Handshakes, TokenComesWithItsKey) {
  const json vectors = json::parse(AsString(Read("kbs.json")));
  const json& c = vectors.at("handshakes").at(0);
  UseKey(vectors, c.at("tee_key"));
  SetReport(c);
  state_.answers = {AnswerOf(c.at("steps").at(0)), AnswerOf(c.at("steps").at(1))};
  KbsClient client(std::make_unique<Script>(state_), attester_, std::nullopt, &LoadKey);
  const auto token = client.GetToken();
  ASSERT_TRUE(token) << token.error().message();
  EXPECT_EQ(token->jwt, c.at("steps").at(1).at("response").at("body").at("token"));
  EXPECT_TRUE(token->key.text().starts_with("-----BEGIN PRIVATE KEY-----"));
}

// A broker, or who sits in its place, that answers anything.
class BadBroker : public ::testing::Test {
 protected:
  static BrokerResponse Challenge(const std::string& nonce) {
    return {200, "kbs-session-id=abc; Path=/", json{{"nonce", nonce}, {"extra-params", ""}}.dump()};
  }
  Error Ask(std::deque<Result<BrokerResponse>> answers) {
    state_.answers = std::move(answers);
    KbsClient client(std::make_unique<Script>(state_), attester_, std::nullopt);
    const auto secret = client.GetResource(*ParseResourceUri("kbs:///a/b/c"));
    return secret ? Error(Code::kInternal, "a secret") : secret.error();
  }
  const std::string nonce_ = Base64Encode(Bytes(32, 1));
  const BrokerResponse token_{200, "", R"({"token":"a.b.c"})"};
  FixedAttester attester_;
  Script::State state_;
};

TEST_F(BadBroker, LateAtEachStep) {
  EXPECT_EQ(Ask({}).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(Ask({Challenge(nonce_)}).code(), Code::kDeadlineExceeded);
  EXPECT_EQ(Ask({Challenge(nonce_), token_}).code(), Code::kDeadlineExceeded);
}

TEST_F(BadBroker, WrongChallenges) {
  const std::vector<std::string> bodies = {
      "",
      "[]",
      "{}",
      R"({"nonce":7})",
      R"({"nonce":"!!"})",
      R"({"nonce":"AAAA"})",
      json{{"nonce", Base64Encode(Bytes(100, 1))}}.dump(),
      std::string(300'000, '['),
      json{{"nonce", nonce_}, {"extra-params", {{"selected-hash-algorithm", "sm3"}}}}.dump(),
      R"({"nonce":"AAAAAAAAAAAAAAAAAAAAAA==","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="})"};
  for (const std::string& body : bodies)
    EXPECT_EQ(Ask({BrokerResponse{200, "kbs-session-id=abc", body}}).code(), Code::kInvalidArgument)
        << body.substr(0, 80);
  EXPECT_EQ(Ask({BrokerResponse{200, "", R"({"nonce":")" + nonce_ + R"("})"}}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(
      Ask({BrokerResponse{200, "kbs-session-id=a\"b", R"({"nonce":")" + nonce_ + R"("})"}}).code(),
      Code::kInvalidArgument);
  EXPECT_EQ(Ask({BrokerResponse{503, "", "busy"}}).code(), Code::kUnavailable);
  EXPECT_EQ(state_.requests.back().path, "/kbs/v0/auth");  // No report went out.
}

TEST_F(BadBroker, ChosenHashIsUsed) {
  const json body = {{"nonce", nonce_}, {"extra-params", {{"selected-hash-algorithm", "sha512"}}}};
  Ask({BrokerResponse{200, "kbs-session-id=abc", body.dump()}});
  const json sent = json::parse(state_.requests.back().body).at("runtime-data");
  const json data = RuntimeData({nonce_, "sha512"}, sent.at("tee-pubkey"));
  EXPECT_EQ(attester_.asked, *RuntimeDataDigest(data, "sha512"));
}

TEST_F(BadBroker, WrongTokensAndSecrets) {
  for (const char* body : {"{}", R"({"token":""})", R"({"token":"a.b"})", R"({"token":"a.b.c\n"})"})
    EXPECT_EQ(Ask({Challenge(nonce_), BrokerResponse{200, "", body}}).code(),
              Code::kInvalidArgument);
  EXPECT_EQ(
      Ask({Challenge(nonce_), token_, BrokerResponse{200, "", "the secret, in clear"}}).code(),
      Code::kInvalidArgument);
  EXPECT_EQ(Ask({Challenge(nonce_), BrokerResponse{401, "", "{}"}}).code(),
            Code::kPermissionDenied);
}

// An answer recorded in another handshake: encrypted to that one's key.
TEST_F(Handshakes, ReplayedSecretsDoNotDecrypt) {
  const json vectors = json::parse(AsString(Read("kbs.json")));
  const json& steps = vectors.at("handshakes").at(0).at("steps");
  state_.answers = {AnswerOf(steps.at(0)), AnswerOf(steps.at(1)), AnswerOf(steps.at(2))};
  KbsClient client(std::make_unique<Script>(state_), attester_, std::nullopt);
  const auto secret = client.GetResource(*ParseResourceUri("kbs:///default/key/1"));
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code(), Code::kPermissionDenied);
  EXPECT_EQ(secret.error().message(), "kbs: jwe: does not decrypt with this guest's key");
}

TEST(KbsRefusals, AreMadeHarmlessForALog) {
  const std::string long_detail = "line\nforged \x7f" + std::string(500, 'x');
  const std::string text = DescribeRefusal(401, json{{"detail", long_detail}}.dump());
  EXPECT_TRUE(text.starts_with("the broker answers 401: line?forged ?x"));
  EXPECT_LT(text.size(), 300U);
  EXPECT_EQ(DescribeRefusal(500, "<html>"), "the broker answers 500");
}

}  // namespace
}  // namespace kata_cc::agent
