// SPDX-License-Identifier: Apache-2.0
#include "agent/http/https_client.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>

#include "agent/http/test_tls_server.h"

namespace kata_cc::agent::http {
namespace {

class Https : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    server_ = *TestTlsServer::Start([this](const Request& request) {
      last_ = request;
      return answer_;
    });
  }
  HttpsClient::Options Options() const {
    HttpsClient::Options options;
    options.url = server_->url();
    options.certificates = server_->certificate();
    options.timeout = std::chrono::seconds(20);
    options.limits.body_bytes = 1000;
    return options;
  }
  static Result<Response> Ask(const HttpsClient::Options& options) {
    const auto client = HttpsClient::Create(options);
    if (!client) return client.error();
    Request request;
    request.method = "POST";
    request.path = "/kbs";
    request.headers = {{"Cookie", "a=b"}};
    request.body = "body";
    return (*client)->Exchange(request);
  }
  std::string answer_ = EncodeResponse(200, "hello", "Set-Cookie: s=1\r\n");
  Request last_;
  std::unique_ptr<TestTlsServer> server_;
};

TEST_F(Https, TalksToTheServerOfThePinnedCertificate) {
  const auto response = Ask(Options());
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "hello");
  EXPECT_EQ(Find(response->headers, "set-cookie"), "s=1");
  EXPECT_EQ(last_.body, "body");
  EXPECT_EQ(Find(last_.headers, "cookie"), "a=b");
  EXPECT_EQ(Find(last_.headers, "host"), "localhost:" + std::to_string(server_->port()));
  auto options = Options();
  options.url = "https://127.0.0.1:" + std::to_string(server_->port());
  EXPECT_TRUE(Ask(options));
}

TEST_F(Https, RefusesAnotherServer) {
  const auto other = *TestTlsServer::Start([](const Request&) { return std::string(); });
  auto options = Options();
  options.certificates = other->certificate();
  const auto response = Ask(options);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code(), Code::kPermissionDenied);
  EXPECT_EQ(last_.method, "");  // Nothing was said to it.

  TestTlsServer::Options names;
  names.names = "DNS:kbs.example";
  const auto misnamed = *TestTlsServer::Start([](const Request&) { return std::string(); }, names);
  options.url = misnamed->url();
  options.certificates = misnamed->certificate();
  EXPECT_EQ(Ask(options).error().code(), Code::kPermissionDenied);
  options.certificates = "none";
  EXPECT_FALSE(Ask(options));
}

TEST_F(Https, RefusesHugeCutAndEmptyAnswers) {
  answer_ = EncodeResponse(200, std::string(1001, 'x'));
  EXPECT_EQ(Ask(Options()).error().code(), Code::kResourceExhausted);
  answer_ = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
  EXPECT_EQ(Ask(Options()).error().code(), Code::kDataLoss);
  answer_ = "";
  EXPECT_EQ(Ask(Options()).error().code(), Code::kUnavailable);
  answer_ = "garbage\r\n\r\n";
  EXPECT_EQ(Ask(Options()).error().code(), Code::kInvalidArgument);
}

TEST_F(Https, GivesUpOnALateServerAndOnNone) {
  const auto late = *TestTlsServer::Start([](const Request&) {
    std::this_thread::sleep_for(std::chrono::seconds(1));
    return std::string();
  });
  auto options = Options();
  options.url = late->url();
  options.certificates = late->certificate();
  options.timeout = std::chrono::milliseconds(300);
  EXPECT_EQ(Ask(options).error().code(), Code::kDeadlineExceeded);
  options = Options();
  options.url = "https://127.0.0.1:1";
  EXPECT_EQ(Ask(options).error().code(), Code::kUnavailable);
}

TEST(Url, IsHttpsHostAndPortAlone) {
  EXPECT_EQ(ParseUrl("https://kbs.example")->port, "443");
  EXPECT_EQ(ParseUrl("https://[::1]:8443")->host, "::1");
  for (const char* url : {"http://h", "https://", "https://h/", "https://h:", "https://h:x",
                          "https://h:123456", "https://u@h", "https://[::1", "https://[x]"}) {
    EXPECT_FALSE(ParseUrl(url)) << url;
  }
}

}  // namespace
}  // namespace kata_cc::agent::http
