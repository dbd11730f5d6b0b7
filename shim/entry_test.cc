// SPDX-License-Identifier: Apache-2.0
#include "shim/entry.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kata_cc::shim {
namespace {

TEST(ArgumentsTest, ReadsWhatContainerdPasses) {
  const auto start =
      ParseArguments({"-namespace", "k8s.io", "-address", "/run/containerd/containerd.sock",
                      "-publish-binary", "/usr/bin/containerd", "-id", "web", "-debug", "start"});
  ASSERT_TRUE(start) << start.error().message();
  EXPECT_EQ(start->containerd_namespace, "k8s.io");
  EXPECT_EQ(start->address, "/run/containerd/containerd.sock");
  EXPECT_EQ(start->publish_binary, "/usr/bin/containerd");
  EXPECT_EQ(start->id, "web");
  EXPECT_TRUE(start->debug);
  EXPECT_EQ(start->action, "start");
  const auto other = ParseArguments({"-namespace=n", "--id=web", "--bundle", "/b", "delete"});
  ASSERT_TRUE(other);
  EXPECT_EQ(other->containerd_namespace, "n");
  EXPECT_EQ(other->bundle, "/b");
  EXPECT_EQ(other->action, "delete");
  EXPECT_TRUE(ParseArguments({"-info"})->info);
  EXPECT_TRUE(ParseArguments({"-v"})->version);
  EXPECT_FALSE(ParseArguments({"-debug=false"})->debug);
}

TEST(ArgumentsTest, RefusesWhatItDoesNotKnow) {
  EXPECT_FALSE(ParseArguments({"-unknown", "x"}));
  EXPECT_FALSE(ParseArguments({"-id"}));
  EXPECT_FALSE(ParseArguments({"restart"}));
  EXPECT_FALSE(ParseArguments({"start", "start"}));
  EXPECT_FALSE(ParseArguments({""}));
}

TEST(PathsTest, EachSandboxOfEachNamespaceHasItsOwn) {
  Arguments arguments;
  arguments.address = "/run/containerd/containerd.sock";
  arguments.containerd_namespace = "k8s.io";
  const std::string longest(76, 'a');
  const SandboxPaths paths = PathsOf(arguments, longest);
  EXPECT_LE(paths.socket.size(), 106U);    // What containerd accepts.
  EXPECT_LE(paths.state_dir.size(), 60U);  // Room for a socket in it.
  EXPECT_EQ(paths.domain_name.rfind("kata-cc-" + longest + "-", 0), 0U);
  arguments.containerd_namespace = "default";
  const SandboxPaths other = PathsOf(arguments, longest);
  EXPECT_NE(other.socket, paths.socket);
  EXPECT_NE(other.state_dir, paths.state_dir);
  EXPECT_NE(other.domain_name, paths.domain_name);
}

class StateTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/entry_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string dir_;
};

TEST_F(StateTest, IsReadBackAndKeepsItsLock) {
  auto lock = LockState(dir_);
  ASSERT_TRUE(lock) << lock.error().message();
  ASSERT_TRUE(SaveState(dir_, {"qemu:///system", "/var/lib/kata-cc", {"/run/netns/a", "4:7"}}));
  const auto state = LoadState(dir_);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->libvirt_uri, "qemu:///system");
  EXPECT_EQ(state->image_dir, "/var/lib/kata-cc");
  EXPECT_EQ(state->netns.path, "/run/netns/a");
  EXPECT_EQ(state->netns.id, "4:7");
  EXPECT_EQ(LockState(dir_).error().code(), Code::kFailedPrecondition);
  lock->Reset();
  EXPECT_TRUE(LockState(dir_));
}

TEST_F(StateTest, ABrokenFileIsAnErrorAndNothingElse) {
  EXPECT_EQ(LoadState(dir_).error().code(), Code::kNotFound);
  for (const char* text : {"", "{", "[]", "{}", R"({"libvirt_uri":1,"image_dir":"/"})"}) {
    std::ofstream(dir_ + "/sandbox.json", std::ios::trunc) << text;
    EXPECT_FALSE(LoadState(dir_)) << text;
  }
}

}  // namespace
}  // namespace kata_cc::shim
