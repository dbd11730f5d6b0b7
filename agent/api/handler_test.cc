// SPDX-License-Identifier: Apache-2.0
#include "agent/api/handler.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/testing/vectors.h"

namespace kata_cc::agent {
namespace {

using nlohmann::json;

class FakeBackend : public ApiBackend {
 public:
  Result<std::string> Evidence(const ReportData& report_data) override {
    asked = report_data;
    if (broken) return Error(Code::kUnavailable, "no report");
    return std::string("{}");
  }
  Result<KbsClient::Token> Token() override {
    if (broken) return Error(Code::kUnavailable, "no broker");
    return KbsClient::Token{"a.b.c", *Secret::Copy(AsBytes("-----BEGIN\nKEY\n"))};
  }
  Result<Secret> Resource(const ResourceUri& uri) override {
    resource = uri.HttpPath();
    if (broken) return Error(Code::kPermissionDenied, "kbs: the broker answers 401");
    return Secret::Copy(AsBytes("the secret"));
  }
  ReportData asked{};
  std::string resource;
  bool broken = false;
};

http::Request Get(const std::string& target) {
  const auto request = http::ParseRequest("GET " + target + " HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(request && *request) << target;
  return **request;
}

class Api : public kata_cc::testing::VectorsTest {
 protected:
  void SetUp() override {}  // Only one of them needs the vectors.
  ApiHandler Make(ApiFeatures features = {true, true}) {
    return {backend_, features, [this](const json& input) {
              inputs_.push_back(input);
              return allowed_;
            }};
  }
  static std::string BodyOf(const ApiResponse& response) {
    return response.secret ? std::string(response.secret->text()) : response.body;
  }
  FakeBackend backend_;
  bool allowed_ = true;
  std::vector<json> inputs_;
};

TEST_F(Api, AnswersAsCoCos) {
  VectorsTest::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  const json vectors = json::parse(AsString(Read("rest-api.json")));
  int seen = 0;
  for (const json& c : vectors.at("cases")) {
    const std::string features = c.at("features");
    SCOPED_TRACE(c.at("target").get<std::string>());
    ApiHandler handler = Make({features != "resource", features != "attestation"});
    http::Request request = Get(c.at("target"));
    request.method = c.at("method");
    if (c.contains("body_in")) request.body = c.at("body_in").dump();
    const ApiResponse response = handler.Handle(request, c.at("remote") == "127.0.0.1");
    EXPECT_EQ(response.status, c.at("status").get<int>());
    EXPECT_EQ(response.content_type,
              c.at("content_type").is_null() ? "" : c.at("content_type").get<std::string>());
    if (c.contains("body")) {
      EXPECT_EQ(response.body, c.at("body"));
    }
    for (const json& key : c.value("json_keys", json::array())) {
      EXPECT_TRUE(json::parse(BodyOf(response)).contains(key)) << key;
    }
    for (const json& key : c.value("absent", json::array())) {
      EXPECT_FALSE(json::parse(BodyOf(response)).contains(key)) << key;
    }
    if (c.contains("runtime_data_hex")) {
      const std::string hex = c.at("runtime_data_hex");
      EXPECT_EQ(HexEncode(backend_.asked), hex + std::string(128 - hex.size(), '0'));
    }
    if (c.contains("resource")) {
      EXPECT_EQ("kbs:///" + backend_.resource.substr(17), c.at("resource"));
    }
    ++seen;
  }
  EXPECT_EQ(seen, 10);
}

TEST_F(Api, PolicyIsAskedForEachRequest) {
  allowed_ = false;
  ApiHandler handler = Make();
  for (const char* target : {"/info", "/aa/evidence?runtime_data=a", "/aa/token?token_type=kbs",
                             "/cdh/resource/a/b/c", "/nowhere"}) {
    EXPECT_EQ(handler.Handle(Get(target), true).status, 403) << target;
  }
  EXPECT_EQ(backend_.resource, "");
  EXPECT_EQ(inputs_.at(0), (json{{"method", "GET"}, {"path", "/info"}}));
  EXPECT_EQ(
      inputs_.at(3),
      (json{{"method", "GET"}, {"path", "/cdh/resource/a/b/c"}, {"resource", "kbs:///a/b/c"}}));
  // A peer from elsewhere does not even get that far.
  inputs_.clear();
  EXPECT_EQ(handler.Handle(Get("/info"), false).status, 403);
  EXPECT_TRUE(inputs_.empty());
}

TEST_F(Api, EvidenceIsAboutTheWorkloadsData) {
  ApiHandler handler = Make();
  EXPECT_EQ(handler.Handle(Get("/aa/evidence?runtime_data=AAEC&encoding=base64"), true).status,
            200);
  EXPECT_EQ(HexEncode(backend_.asked).substr(0, 8), "00010200");
  const std::string full(64, 'x');
  EXPECT_EQ(handler.Handle(Get("/aa/evidence?runtime_data=" + full), true).status, 200);
  EXPECT_EQ(handler.Handle(Get("/aa/evidence?runtime_data=x" + full), true).status, 400);
  EXPECT_EQ(handler.Handle(Get("/aa/evidence?runtime_data=a&encoding=hex"), true).status, 400);
  EXPECT_EQ(handler.Handle(Get("/aa/token"), true).status, 400);
}

TEST_F(Api, TokenAndItsKeyAreOneJson) {
  ApiHandler handler = Make();
  const ApiResponse response = handler.Handle(Get("/aa/token?token_type=kbs"), true);
  ASSERT_TRUE(response.secret);
  EXPECT_EQ(json::parse(response.secret->text()),
            (json{{"token", "a.b.c"}, {"tee_keypair", "-----BEGIN\nKEY\n"}}));
}

TEST_F(Api, FailuresSayWhyAndFeaturesThatAreOffAreNotThere) {
  backend_.broken = true;
  ApiHandler handler = Make();
  const ApiResponse refused = handler.Handle(Get("/cdh/resource/a/b/c"), true);
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(refused.body, "kbs: the broker answers 401");
  EXPECT_EQ(handler.Handle(Get("/aa/evidence?runtime_data=a"), true).status, 500);
  EXPECT_EQ(handler.Handle(Get("/aa/token?token_type=kbs"), true).status, 500);
  ApiHandler none = Make({false, false});
  EXPECT_EQ(none.Handle(Get("/cdh/resource/a/b/c"), true).status, 404);
  EXPECT_EQ(none.Handle(Get("/aa/token?token_type=kbs"), true).status, 404);
}

TEST_F(Api, OtherMethodsAndPathsAreRefused) {
  ApiHandler handler = Make();
  http::Request post = Get("/cdh/resource/a/b/c");
  post.method = "POST";
  EXPECT_EQ(handler.Handle(post, true).status, 405);
  post = Get("/info");
  post.method = "PUT";
  EXPECT_EQ(handler.Handle(post, true).status, 405);
  post = Get("/aa/aael");
  EXPECT_EQ(handler.Handle(post, true).status, 404);
  post.method = "POST";
  post.body = "{";
  EXPECT_EQ(handler.Handle(post, true).status, 500);
  for (const char* target :
       {"/cdh/resource/a/b", "/cdh/resource/a/b/c/d", "/cdh/resource/a/../c", "/cdh/resource/a//c",
        "/cdh/resource/a/%2e%2e/c", "/aa/", "/AA/token"}) {
    EXPECT_EQ(handler.Handle(Get(target), true).status, 404) << target;
  }
  EXPECT_EQ(backend_.resource, "");
}

}  // namespace
}  // namespace kata_cc::agent
