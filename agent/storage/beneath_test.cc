// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

TEST(RelativeTo, TakesOnlyPlainPathsBelow) {
  EXPECT_EQ(*RelativeTo("/run/x", "/run/x/a"), "a");
  EXPECT_EQ(*RelativeTo("/run/x", "/run/x/a/..data/b"), "a/..data/b");
  for (const std::string& path :
       {""s, "/"s, "a"s, "/run/x"s, "/run/x/"s, "/run/xy/a"s, "/run/x/../y"s, "/run/x/a/.."s,
        "/run/x/./a"s, "/run/x/a//b"s, "/run/x/a/"s, "/run/x/a\0b"s, "run/x/a"s, "//run/x/a"s,
        "/run/x/" + std::string(256, 'a'), "/run/x/" + std::string(5000, 'a')}) {
    const auto relative = RelativeTo("/run/x", path);
    ASSERT_FALSE(relative) << path;
    EXPECT_EQ(relative.error().code(), Code::kInvalidArgument);
  }
}

class BeneathTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    fs::create_directories(dir_ + "/root/sub");
    fs::create_directories(dir_ + "/outside");
    root_ = *OpenFile(dir_ + "/root", O_PATH | O_DIRECTORY);
  }
  void TearDown() override { fs::remove_all(dir_); }

  std::string dir_ = testing::TempDir() + "beneath-XXXXXX";
  UniqueFd root_;
};

TEST_F(BeneathTest, OpensWhatIsThere) {
  EXPECT_TRUE(OpenBeneath(root_, "sub"));
  EXPECT_TRUE(OpenBeneath(root_, ""));
  EXPECT_EQ(OpenBeneath(root_, "missing").error().code(), Code::kNotFound);
}

TEST_F(BeneathTest, FollowsNoLink) {
  fs::create_symlink("sub", dir_ + "/root/inside");
  fs::create_symlink(dir_ + "/outside", dir_ + "/root/absolute");
  fs::create_symlink("../outside", dir_ + "/root/up");
  for (const char* path : {"inside", "absolute", "up", "inside/x", "absolute/x", "up/x"}) {
    EXPECT_EQ(OpenBeneath(root_, path).error().code(), Code::kInvalidArgument) << path;
    EXPECT_FALSE(MakeDirectoriesBeneath(root_, path, 0755)) << path;
  }
  EXPECT_FALSE(OpenBeneath(root_, "sub/../../outside"));
  EXPECT_TRUE(fs::is_empty(dir_ + "/outside"));
}

TEST_F(BeneathTest, MakesWhatIsMissing) {
  ASSERT_TRUE(MakeDirectoriesBeneath(root_, "sub/a/b", 0700));
  EXPECT_TRUE(fs::is_directory(dir_ + "/root/sub/a/b"));
  EXPECT_TRUE(MakeDirectoriesBeneath(root_, "sub/a/b", 0700)) << "again";
  ASSERT_TRUE(OpenFile(dir_ + "/root/f", O_CREAT | O_WRONLY, 0600));
  EXPECT_FALSE(MakeDirectoriesBeneath(root_, "f/a", 0700));
}

}  // namespace
}  // namespace kata_cc::agent
