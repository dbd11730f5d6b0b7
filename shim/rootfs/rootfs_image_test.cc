// SPDX-License-Identifier: Apache-2.0
#include "shim/rootfs/rootfs_image.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace kata_cc::shim {
namespace {

class RootfsImageTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/rootfs_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
    std::filesystem::create_directory(dir_ + "/root");
    std::ofstream(dir_ + "/root/file") << std::string(5000, 'x');
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  RootfsRequest Request() { return {{}, dir_ + "/root", dir_ + "/image", "lz4"}; }
  std::string dir_;
};

TEST_F(RootfsImageTest, ADirectoryBecomesASquashfsImage) {
  const auto built = BuildRootfsImage(Request());
  ASSERT_TRUE(built) << built.error().message();
  std::ifstream image(dir_ + "/image");
  char magic[4] = {};
  image.read(magic, 4);
  EXPECT_EQ(std::string(magic, 4), "hsqs");
}

TEST_F(RootfsImageTest, AMissingOrWrongDirectoryIsNamedAndLeavesNoImage) {
  RootfsRequest request = Request();
  request.directory = dir_ + "/none";
  auto built = BuildRootfsImage(request);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().code(), Code::kNotFound);
  request.directory = dir_ + "/root/file";
  EXPECT_FALSE(BuildRootfsImage(request));
  request = Request();
  request.compressor = "none-such";
  built = BuildRootfsImage(request);
  ASSERT_FALSE(built);
  EXPECT_NE(built.error().message().find("gensquashfs"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(dir_ + "/image"));
}

TEST(MountOptionsTest, FlagsAndDataAreTakenApart) {
  const auto parsed = ParseMountOptions({"ro", "nosuid", "lowerdir=/a:/b", "index=off", "rbind"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->flags, MS_RDONLY | MS_NOSUID | MS_BIND | MS_REC);
  EXPECT_EQ(parsed->data, "lowerdir=/a:/b,index=off");
  EXPECT_FALSE(ParseMountOptions({"lowerdir=" + std::string(5000, 'a')}));
}

}  // namespace
}  // namespace kata_cc::shim
