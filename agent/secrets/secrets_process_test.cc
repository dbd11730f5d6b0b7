// SPDX-License-Identifier: Apache-2.0
// Against the program itself.
#include "agent/secrets/secrets_process.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

using nlohmann::json;

class FakeAttester : public Attester {
 public:
  std::string_view name() const override { return "the test"; }

 protected:
  Result<Raw> Fetch(const ReportData& report_data) override {
    snp::Report report;
    report.version = 2;
    report.report_data = report_data;
    const auto bytes = snp::EncodeReport(report);
    return Raw{Bytes(bytes.begin(), bytes.end()), {}};
  }
};

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int FreePort() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// Empty: nobody listens.
std::string Ask(int port, const std::string& target) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = Loopback(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return "";
  }
  const std::string text = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
  EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(fd.get(), buffer, sizeof(buffer))) > 0;)
    out.append(buffer, static_cast<std::size_t>(n));
  return out;
}

std::vector<pid_t> Children() {
  std::vector<pid_t> out;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    for (pid_t pid = 0; children >> pid;)
      out.push_back(pid);
  }
  return out;
}

class Secrets : public testing::Test {
 protected:
  Secrets() {
    std::signal(SIGPIPE, SIG_IGN);
    options_.program = KATA_CC_SECRETS;
    options_.log_level = LogLevel::kError;
    options_.config.tee = true;
    options_.config.api_port = FreePort();
  }
  void Create() {
    secrets_ = SecretsProcess::Create(options_, &attester_, [this](const json& input) {
      path_ = input.at("path");
      return allowed_.load();
    });
  }
  int port() const { return options_.config.api_port; }

  FakeAttester attester_;
  SecretsProcess::Options options_;
  std::atomic<bool> allowed_ = true;
  std::string path_;
  std::unique_ptr<SecretsProcess> secrets_;
};

TEST_F(Secrets, StartNothingBeforeTheyAreNeeded) {
  Create();
  EXPECT_TRUE(secrets_->Listen(false));
  EXPECT_TRUE(Children().empty());
}

TEST_F(Secrets, TheApiListensAsWantedAndAsksTheAgent) {
  Create();
  ASSERT_TRUE(secrets_->Listen(true));
  const std::string evidence = Ask(port(), "/aa/evidence?runtime_data=hello");
  EXPECT_TRUE(evidence.starts_with("HTTP/1.1 200 ")) << evidence;
  EXPECT_NE(evidence.find("\"report_data\":[104,101,108,108,111,0,"), std::string::npos)
      << evidence;
  EXPECT_EQ(path_, "/aa/evidence");
  allowed_ = false;
  EXPECT_TRUE(Ask(port(), "/aa/evidence?runtime_data=hello").starts_with("HTTP/1.1 403 "));
  // No text that a policy could judge.
  EXPECT_FALSE(Ask(port(), "/%ff").starts_with("HTTP/1.1 200 "));
  ASSERT_TRUE(secrets_->Listen(false));
  EXPECT_EQ(Ask(port(), "/info"), "");
  const std::vector<pid_t> children = Children();
  ASSERT_EQ(children.size(), 1U);
  secrets_.reset();
  EXPECT_TRUE(Children().empty());
}

TEST_F(Secrets, TheProcessHasNoPrivileges) {
  if (::geteuid() != 0) GTEST_SKIP() << "there are none to drop";
  Create();
  ASSERT_TRUE(secrets_->Start());
  ASSERT_EQ(Children().size(), 1U);
  std::ifstream status("/proc/" + std::to_string(Children().front()) + "/status");
  int seen = 0;
  for (std::string line; std::getline(status, line);) {
    if (line == "Uid:\t65534\t65534\t65534\t65534" || line == "Gid:\t65534\t65534\t65534\t65534" ||
        line == "CapEff:\t0000000000000000" || line == "CapPrm:\t0000000000000000" ||
        line == "NoNewPrivs:\t1" || line == "Groups:\t ") {
      ++seen;
    }
  }
  EXPECT_EQ(seen, 6);
}

TEST_F(Secrets, WithoutABrokerNothingIsUnsealed) {
  Create();
  const auto refused = secrets_->Unseal("sealed.a.b");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "sealed secret: not three parts");
}

TEST_F(Secrets, AConfigurationThatIsRefusedIsAnErrorAtTheStart) {
  options_.config.data["aa.toml"] = "[token_configs.kbs]\nurl = \"http://plain\"\n";
  Create();
  const auto refused = secrets_->Start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "initdata: aa.toml: the broker's url is not https");
  EXPECT_TRUE(Children().empty());
  EXPECT_FALSE(secrets_->Unseal("sealed.a.b"));
}

TEST_F(Secrets, AProgramThatIsNotThereIsAnError) {
  options_.program = "/nonexistent/kata-cc-secrets";
  Create();
  const auto refused = secrets_->Start();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("/nonexistent/kata-cc-secrets"), std::string::npos);
}

TEST_F(Secrets, AnEndedProcessIsStartedAnew) {
  Create();
  ASSERT_TRUE(secrets_->Listen(true));
  ASSERT_EQ(Children().size(), 1U);
  ::kill(Children().front(), SIGKILL);
  std::string answer;
  for (int i = 0; i < 200 && answer.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    answer = Ask(port(), "/info");
  }
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
  // Also the next call of one that listens no longer.
  ASSERT_TRUE(secrets_->Listen(false));
  ::kill(Children().front(), SIGKILL);
  for (int i = 0; i < 200 && !Children().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(Children().empty());
  EXPECT_TRUE(secrets_->Start());
  EXPECT_EQ(Children().size(), 1U);
}

TEST(SecretsConfigText, ComesBackAsItWas) {
  SecretsConfig config;
  config.tee = true;
  config.initdata = std::string("a\0\xff", 3);
  config.data = {{"aa.toml", "x = 1\n"}};
  config.api_port = 8006;
  const auto parsed = ParseSecretsConfig(EncodeSecretsConfig(config));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->tee, config.tee);
  EXPECT_EQ(parsed->initdata, config.initdata);
  EXPECT_EQ(parsed->data, config.data);
  EXPECT_EQ(parsed->api_port, config.api_port);
  for (const char* bad : {"", "[]", "{}", R"({"tee":1,"api_port":1,"data":{}})",
                          R"({"tee":true,"api_port":1,"data":{"a":1}})",
                          R"({"tee":true,"api_port":1,"data":{},"initdata":"*"})"}) {
    EXPECT_FALSE(ParseSecretsConfig(bad)) << bad;
  }
}

}  // namespace
}  // namespace kata_cc::agent
