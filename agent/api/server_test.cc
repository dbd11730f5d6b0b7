// SPDX-License-Identifier: Apache-2.0
#include "agent/api/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

class SlowBackend : public ApiBackend {
 public:
  Result<std::string> Evidence(const ReportData&) override {
    while (hold)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return std::string("{\"evidence\":1}");
  }
  Result<KbsClient::Token> Token() override { return Error(Code::kUnavailable, "none"); }
  Result<Secret> Resource(const ResourceUri&) override {
    return Secret::Copy(AsBytes("the secret"));
  }
  std::atomic<bool> hold = false;
};

class Server : public testing::Test {
 protected:
  void SetUp() override {
    server_ = *ApiServer::Create(handler_, {0, std::chrono::milliseconds(1500), 4});
    ASSERT_TRUE(server_->Listen(true));
  }
  UniqueFd Connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      fd.Reset();
    }
    return fd;
  }
  static std::string Read(int fd) {
    std::string out;
    char buffer[1024];
    for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof(buffer))) > 0;)
      out.append(buffer, static_cast<std::size_t>(n));
    return out;
  }
  std::string Ask(const std::string& text) const {
    const UniqueFd fd = Connect();
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    return Read(fd.get());
  }
  SlowBackend backend_;
  ApiHandler handler_{backend_, {true, true}, [](const nlohmann::json&) { return true; }};
  std::unique_ptr<ApiServer> server_;
};

TEST_F(Server, AnswersAndCloses) {
  const std::string answer = Ask("GET /cdh/resource/a/b/c HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\nthe secret"));
  EXPECT_TRUE(Ask("GET /info HTTP/1.1\r\n\r\n").ends_with("\"version\":\"0.1.0\"}"));
}

TEST_F(Server, MalformedAndHugeRequestsGetTheirStatus) {
  EXPECT_TRUE(Ask("NONSENSE\r\n\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(
      Ask("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

TEST_F(Server, ListensOnlyWhileThePolicyWantsIt) {
  EXPECT_GT(server_->port(), 0);
  ASSERT_TRUE(server_->Listen(false));
  EXPECT_EQ(server_->port(), 0);
  EXPECT_FALSE(Connect().valid());
  ASSERT_TRUE(server_->Listen(true));
  EXPECT_TRUE(Ask("GET /info HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(Server, ASlowPeerIsCutOff) {
  const UniqueFd silent = Connect();
  EXPECT_EQ(Read(silent.get()), "");  // Returns after the server's patience.
  EXPECT_TRUE(Ask("GET /info HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200"));
}

TEST_F(Server, TooManyConnectionsAreClosedAtOnce) {
  backend_.hold = true;
  std::vector<UniqueFd> held;
  const std::string text = "GET /aa/evidence?runtime_data=a HTTP/1.1\r\n\r\n";
  for (int i = 0; i < 4; ++i) {
    held.push_back(Connect());
    ASSERT_EQ(::send(held.back().get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  EXPECT_EQ(Read(Connect().get()), "");
  backend_.hold = false;
  for (const UniqueFd& fd : held)
    EXPECT_TRUE(Read(fd.get()).ends_with("{\"evidence\":1}"));
  bool again = false;
  for (int i = 0; i < 100 && !again; ++i) {
    again = Ask("GET /info HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200");
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(again);
}

}  // namespace
}  // namespace kata_cc::agent
