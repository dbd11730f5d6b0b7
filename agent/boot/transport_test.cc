// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/transport.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/file.h"

namespace kata_cc::agent {
namespace {

class TransportTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(root_.data()), nullptr); }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string root_ = ::testing::TempDir() + "transport-XXXXXX";
};

TEST_F(TransportTest, ListensOnAPathAndTakesOverAStaleSocket) {
  for (int i = 0; i < 2; ++i) {
    const auto listener = ListenOnUnixSocket("unix://" + root_ + "/agent.sock");
    ASSERT_TRUE(listener) << listener.error().message();
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strcpy(name.sun_path, (root_ + "/agent.sock").c_str());
    const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  }
}

TEST_F(TransportTest, RefusesOtherAddresses) {
  for (const char* address : {"", "unix://", "vsock://-1:1024", "/run/agent.sock"}) {
    EXPECT_FALSE(ListenOnUnixSocket(address)) << address;
  }
  EXPECT_FALSE(ListenOnUnixSocket("unix:///" + std::string(200, 'x')));
}

TEST_F(TransportTest, FindsThePortByItsName) {
  std::filesystem::create_directories(root_ + "/vport0p0");
  std::filesystem::create_directories(root_ + "/vport1p1");
  EXPECT_FALSE(FindVirtioPort(root_, kPortName));
  ASSERT_TRUE(WriteFile(root_ + "/vport1p1/name", AsBytes("org.kata-cc.agent.0\n")));
  const auto port = FindVirtioPort(root_, kPortName);
  ASSERT_TRUE(port) << port.error().message();
  EXPECT_EQ(*port, "/dev/vport1p1");
}

}  // namespace
}  // namespace kata_cc::agent
