// SPDX-License-Identifier: Apache-2.0
#include "agent/http/message.h"

#include <gtest/gtest.h>

namespace kata_cc::agent::http {
namespace {

using std::string_literals::operator""s;

TEST(HttpRequest, IsParsedWhenAllOfItIsThere) {
  const std::string text =
      "GET /aa/evidence?runtime_data=a%20b+c&encoding=raw HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\n\r\n";
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto part = ParseRequest(std::string_view(text).substr(0, n));
    ASSERT_TRUE(part) << n;
    EXPECT_FALSE(*part) << n;
  }
  const auto request = ParseRequest(text);
  ASSERT_TRUE(request) << request.error().message();
  ASSERT_TRUE(*request);
  EXPECT_EQ((*request)->method, "GET");
  EXPECT_EQ((*request)->path, "/aa/evidence");
  EXPECT_EQ((*request)->query.at("runtime_data"), "a b c");
  EXPECT_EQ((*request)->query.at("encoding"), "raw");
  EXPECT_EQ(Find((*request)->headers, "x-y"), "z");
  const auto post = ParseRequest("POST /x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ((*post)->body, "{}");
}

TEST(HttpRequest, RefusesWhatIsAmbiguousOrMalformed) {
  for (const std::string& text :
       {"GET /\r\n\r\n"s,
        "GET / HTTP/2\r\n\r\n"s,
        "GET  / HTTP/1.1\r\n\r\n"s,
        "G T / HTTP/1.1\r\n\r\n"s,
        "GET http://h/ HTTP/1.1\r\n\r\n"s,
        "GET /a b HTTP/1.1\r\n\r\n"s,
        "GET /\x01 HTTP/1.1\r\n\r\n"s,
        "GET /\0 HTTP/1.1\r\n\r\n"s,
        "GET /#f HTTP/1.1\r\n\r\n"s,
        "GET /?a=1&a=2 HTTP/1.1\r\n\r\n"s,
        "GET /?=1 HTTP/1.1\r\n\r\n"s,
        "GET /?a=%2 HTTP/1.1\r\n\r\n"s,
        "GET /?a=%zz HTTP/1.1\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA : b\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"s,
        "GET / HTTP/1.1\r\nA: \x01\r\n\r\n"s,
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"s,
        "GET / HTTP/1.1\r\nContent-Length: 1x\r\n\r\na"s,
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"s,
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na"s,
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
        "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"s}) {
    const auto request = ParseRequest(text);
    ASSERT_FALSE(request) << text;
    EXPECT_EQ(request.error().code(), Code::kInvalidArgument) << text;
  }
}

TEST(HttpRequest, HasLimits) {
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 70; ++i)
    many += "A: b\r\n";
  for (const std::string& text :
       {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n", many + "\r\n",
        std::string(20000, 'a'), "POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"s}) {
    const auto request = ParseRequest(text);
    ASSERT_FALSE(request) << text.substr(0, 40);
    EXPECT_EQ(request.error().code(), Code::kResourceExhausted);
  }
}

TEST(HttpResponse, EndsByLengthByChunksOrByTheEnd) {
  const std::string head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n";
  const auto by_length = ParseResponse(head + "Content-Length: 3\r\n\r\nabc", false);
  ASSERT_TRUE(by_length && *by_length);
  EXPECT_EQ((*by_length)->status, 200);
  EXPECT_EQ((*by_length)->body, "abc");
  EXPECT_EQ(Find((*by_length)->headers, "set-cookie"), "a=b");
  const std::string chunked =
      head + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n";
  EXPECT_EQ((*ParseResponse(chunked, false))->body, "abc0123456789");
  for (std::size_t n = 0; n < chunked.size(); ++n) {
    const std::string_view part = std::string_view(chunked).substr(0, n);
    EXPECT_FALSE(*ParseResponse(part, false)) << n;
    EXPECT_EQ(ParseResponse(part, true).error().code(), Code::kDataLoss) << n;
  }
  EXPECT_FALSE(*ParseResponse(head + "\r\nabc", false));
  EXPECT_EQ((*ParseResponse(head + "\r\nabc", true))->body, "abc");
  EXPECT_EQ(ParseResponse(head + "Content-Length: 4\r\n\r\nabc", true).error().code(),
            Code::kDataLoss);
}

TEST(HttpResponse, RefusesWhatIsMalformedOrHuge) {
  for (const std::string& text :
       {"HTTP/1.1 20 OK\r\n\r\n"s, "HTTP/1.1 2000\r\n\r\n"s, "HTTP/1.1 abc OK\r\n\r\n"s,
        "HTTP/2 200 OK\r\n\r\n"s, "HTTP/1.1 100 Continue\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc"s}) {
    EXPECT_FALSE(ParseResponse(text, true)) << text;
  }
  Limits limits;
  limits.body_bytes = 10;
  for (const char* rest : {"Content-Length: 11\r\n\r\n", "\r\n01234567890",
                           "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n",
                           "Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n"}) {
    const auto response = ParseResponse("HTTP/1.1 200 OK\r\n"s + rest, false, limits);
    ASSERT_FALSE(response) << rest;
    EXPECT_EQ(response.error().code(), Code::kResourceExhausted);
  }
}

}  // namespace
}  // namespace kata_cc::agent::http
