// SPDX-License-Identifier: Apache-2.0
// The whole chain on one machine: launch inputs, the simulator's report, the guest's local API, the
// handshake with a key broker that verifies the evidence, and the secret in the workload's hands.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "agent/api/guest_secrets.h"
#include "agent/api/server.h"
#include "agent/attest/host_data.h"
#include "agent/attest/initdata.h"
#include "agent/attest/sim.h"
#include "agent/http/test_tls_server.h"
#include "agent/kbs/jwe.h"
#include "base/file.h"
#include "proto/snp/verify/amd_roots.h"
#include "shim/sim/simulator.h"
#include "tests/kbs/kbs.h"

namespace kata_cc::tests {
namespace {

using agent::http::TestTlsServer;
using Names = std::vector<std::string>;

// Those of the suite, again and again: an authority is not copied.
snp::sim::Authority KeysOnDisk(const std::string& dir) {
  auto keys = snp::sim::Authority::LoadOrCreate(dir);
  EXPECT_TRUE(keys) << keys.error().message();
  return *std::move(keys);
}

class Chain : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_NE(::mkdtemp(suite_dir_.data()), nullptr);
    KeysOnDisk(suite_dir_ + "/sim");
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(suite_dir_); }

  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    ASSERT_TRUE(WriteFile(dir_ + "/kernel", AsBytes("kernel")));
    ASSERT_TRUE(WriteFile(dir_ + "/initrd", AsBytes("initrd")));
    launch_.kernel = dir_ + "/kernel";
    launch_.initrd = dir_ + "/initrd";
    launch_.command_line = "quiet kata_cc.tee=sim";
    // The broker's certificate goes into the initdata, the initdata's digest into the launch, and
    // the launch's values into the broker.
    server_ = *TestTlsServer::Start(
        [this](const agent::http::Request& request) { return kbs_->Handle(request); });
    document_ =
        "version = \"0.1.0\"\nalgorithm = \"sha256\"\n[data]\n\"aa.toml\" = '''\n"
        "[token_configs.kbs]\nurl = \"" +
        server_->url() + "\"\ncert = \"\"\"\n" + server_->certificate() + "\"\"\"\n'''\n";
    initdata_ = *agent::ParseInitdata(document_);
    std::copy_n(initdata_.digest.begin(), 32, launch_.host_data.begin());
    const snp::sim::Launch expected = *shim::MeasureSimLaunch(launch_);
    const snp::sim::Authority keys = KeysOnDisk(suite_dir_ + "/sim");
    TestKbs::Options options;
    options.trusted_arks.push_back(*snp::Cert::Load(keys.ark().Der()));
    options.reference.measurement = expected.measurement;
    options.reference.host_data = expected.host_data;
    options.reference.policy = expected.policy;
    options.resources["default/key/1"] = {'s', 'e', 'c', 'r', 'e', 't', 0, '\n'};
    kbs_ = std::make_unique<TestKbs>(std::move(options));
  }
  void TearDown() override {
    api_.reset();
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  // A guest of what launch_ is now.
  void Boot() {
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    const auto launch = shim::MeasureSimLaunch(launch_);
    ASSERT_TRUE(launch);
    simulator_ = std::make_unique<shim::Simulator>(KeysOnDisk(suite_dir_ + "/sim"), *launch);
    simulator_->Start(UniqueFd(fds[0]));
    attester_ = agent::SimAttester(UniqueFd(fds[1]));
    auto secrets = agent::GuestSecrets::Create(attester_.get(), document_, initdata_.data);
    ASSERT_TRUE(secrets) << secrets.error().message();
    secrets_ = *std::move(secrets);
    handler_ = std::make_unique<agent::ApiHandler>(*secrets_, secrets_->features(),
                                                   [](const nlohmann::json&) { return true; });
    api_ = *agent::ApiServer::Create(*handler_, {0});
    ASSERT_TRUE(api_->Listen(true));
  }

  // A workload's request, as curl would make it.
  std::string Ask(const std::string& target) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(api_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const std::string text = "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
    EXPECT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    std::string out;
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(fd.get(), buffer, sizeof(buffer))) > 0;)
      out.append(buffer, static_cast<std::size_t>(n));
    return out;
  }
  void ExpectRefused(const Names& failed) {
    const std::string answer = Ask("/cdh/resource/default/key/1");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_EQ(answer.find("secret\0"), std::string::npos);
    EXPECT_EQ(kbs_->last_failed(), failed);
  }

  static inline std::string suite_dir_ = testing::TempDir() + "chain-keys-XXXXXX";
  std::string dir_ = testing::TempDir() + "chain-XXXXXX";
  shim::SimLaunch launch_;
  std::string document_;
  agent::Initdata initdata_;
  std::unique_ptr<TestKbs> kbs_;
  std::unique_ptr<TestTlsServer> server_;
  std::unique_ptr<shim::Simulator> simulator_;
  std::unique_ptr<agent::Attester> attester_;
  std::unique_ptr<agent::GuestSecrets> secrets_;
  std::unique_ptr<agent::ApiHandler> handler_;
  std::unique_ptr<agent::ApiServer> api_;
};

TEST_F(Chain, TheGuestOfTheReferenceValuesGetsTheSecret) {
  Boot();
  EXPECT_TRUE(
      agent::CheckHostData(*agent::ReportedHostData(attester_.get()), initdata_.digest, ""));
  const std::string answer = Ask("/cdh/resource/default/key/1");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with(std::string("\r\n\r\nsecret\0\n", 12)));
  EXPECT_EQ(kbs_->last_failed(), Names{});
  EXPECT_TRUE(Ask("/cdh/resource/default/key/1").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(Ask("/aa/token?token_type=kbs").starts_with("HTTP/1.1 200 "));
  EXPECT_NE(Ask("/aa/evidence?runtime_data=x").find("\"attestation_report\""), std::string::npos);
  EXPECT_TRUE(Ask("/cdh/resource/default/key/2").starts_with("HTTP/1.1 500 "));
}

TEST_F(Chain, AnotherCommandLineIsRefused) {
  launch_.command_line += " init=/bin/sh";
  Boot();
  ExpectRefused({"measurement"});
}

TEST_F(Chain, AnotherInitrdIsRefused) {
  ASSERT_TRUE(WriteFile(launch_.initrd, AsBytes("another initrd")));
  Boot();
  ExpectRefused({"measurement"});
}

TEST_F(Chain, AnotherKernelOrMoreProcessorsAreRefused) {
  ASSERT_TRUE(WriteFile(launch_.kernel, AsBytes("another kernel")));
  launch_.vcpus = 2;
  Boot();
  ExpectRefused({"measurement"});
}

TEST_F(Chain, AnotherPolicyOfTheGuestIsRefused) {
  launch_.policy |= std::uint64_t{1} << 19;  // Debug.
  Boot();
  ExpectRefused({"policy"});
}

TEST_F(Chain, OtherHostDataAreRefusedTwice) {
  launch_.host_data[0] ^= 1;
  Boot();
  EXPECT_FALSE(agent::CheckHostData(*agent::ReportedHostData(attester_.get()), initdata_.digest,
                                    "initdata"));
  ExpectRefused({"host_data", "init_data"});
}

TEST_F(Chain, ABrokerThatTrustsAmdAloneRefusesTheSimulator) {
  TestKbs::Options options;
  options.trusted_arks = *snp::AmdRoots();
  kbs_ = std::make_unique<TestKbs>(std::move(options));
  Boot();
  ExpectRefused({"ark_not_pinned"});
}

TEST_F(Chain, ABrokerOfAnotherCertificateGetsNoEvidence) {
  const auto impostor = *TestTlsServer::Start([&](const agent::http::Request& request) {
    ADD_FAILURE() << request.path;
    return std::string();
  });
  const std::size_t at = initdata_.data["aa.toml"].find(server_->url());
  initdata_.data["aa.toml"].replace(at, server_->url().size(), impostor->url());
  Boot();
  const std::string answer = Ask("/cdh/resource/default/key/1");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 "));
  EXPECT_NE(answer.find("the server's certificate"), std::string::npos) << answer;
}

TEST_F(Chain, SealedSecretsOfTheEnvironmentNeedTheGuestToo) {
  Boot();
  std::vector<std::string> environment = {"A=sealed.x.y.z"};
  EXPECT_FALSE(agent::UnsealEnvironment(
      environment, [this](std::string_view text) { return secrets_->Unseal(text); }));
  EXPECT_EQ(environment[0], "A=sealed.x.y.z");
}

TEST(TestKbsJwe, DecryptsWithTheGuestsCode) {
  const agent::TeeKey key = *agent::TeeKey::Generate();
  const auto jwe = EncryptJwe(AsBytes("the secret"), *key.PublicJwk());
  ASSERT_TRUE(jwe) << jwe.error().message();
  const auto secret = agent::DecryptJwe(*agent::ParseJwe(*jwe), key);
  ASSERT_TRUE(secret) << secret.error().message();
  EXPECT_EQ(secret->text(), "the secret");
  EXPECT_FALSE(agent::DecryptJwe(*agent::ParseJwe(*jwe), *agent::TeeKey::Generate()));
}

}  // namespace
}  // namespace kata_cc::tests
