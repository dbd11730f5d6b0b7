// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/copy_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace kata_cc::shim {
namespace {

class CopyFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/copy_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  Result<void> Copy(const std::string& path, CopyLimits limits = {}) {
    return CopyToGuest(
        {path, "/guest"},
        [this](const grpc::CopyFileRequest& request) -> Result<void> {
          sent_.push_back(request);
          return {};
        },
        limits);
  }
  std::string dir_;
  std::vector<grpc::CopyFileRequest> sent_;
};

TEST_F(CopyFilesTest, AFileGoesInChunksWithRisingOffsets) {
  std::ofstream(dir_ + "/f") << std::string(10, 'a') << "b";
  ASSERT_TRUE(Copy(dir_ + "/f", {.chunk_bytes = 4}));
  ASSERT_EQ(sent_.size(), 3U);
  std::string all;
  for (const auto& part : sent_) {
    EXPECT_EQ(part.offset(), static_cast<std::int64_t>(all.size()));
    EXPECT_EQ(part.file_size(), 11);
    EXPECT_TRUE(S_ISREG(part.file_mode()));
    all += part.data();
  }
  EXPECT_EQ(all, "aaaaaaaaaab");
}

TEST_F(CopyFilesTest, AnEmptyFileIsOneRequest) {
  std::ofstream(dir_ + "/f").flush();
  ASSERT_TRUE(Copy(dir_ + "/f"));
  EXPECT_EQ(sent_.size(), 1U);
}

TEST_F(CopyFilesTest, ADirectoryKeepsItsLinksAndSkipsFifos) {
  std::filesystem::create_directory(dir_ + "/..data");
  std::ofstream(dir_ + "/..data/key") << "v";
  std::filesystem::create_symlink("..data/key", dir_ + "/key");
  ASSERT_EQ(::mkfifo((dir_ + "/pipe").c_str(), 0600), 0);
  ASSERT_TRUE(Copy(dir_));
  ASSERT_EQ(sent_.size(), 4U);
  EXPECT_EQ(sent_[0].path(), "/guest");
  EXPECT_TRUE(S_ISDIR(sent_[0].file_mode()));
  EXPECT_EQ(sent_[1].path(), "/guest/..data");
  EXPECT_EQ(sent_[2].path(), "/guest/..data/key");
  EXPECT_EQ(sent_[3].path(), "/guest/key");
  EXPECT_EQ(sent_[3].data(), "..data/key");
}

TEST_F(CopyFilesTest, ALinkToAGenerationThatCameMeanwhileWaitsForIt) {
  std::filesystem::create_directory(dir_ + "/..1");
  std::filesystem::create_symlink("..1", dir_ + "/..data");
  std::vector<std::string> sent;
  const auto send = [&](const grpc::CopyFileRequest& request) -> Result<void> {
    sent.push_back(request.path() + (request.data().empty() ? "" : " to " + request.data()));
    if (request.path() != "/guest/..1" || std::filesystem::exists(dir_ + "/..2")) return {};
    std::filesystem::create_directory(dir_ + "/..2");  // After the names were read.
    std::filesystem::remove(dir_ + "/..data");
    std::filesystem::create_symlink("..2", dir_ + "/..data");
    return {};
  };
  ASSERT_TRUE(CopyToGuest({dir_, "/guest"}, send));
  const auto link = std::find(sent.begin(), sent.end(), "/guest/..data to ..2");
  ASSERT_NE(link, sent.end());
  EXPECT_NE(std::find(sent.begin(), link, "/guest/..2"), link);

  // One that never leads anywhere.
  std::filesystem::remove(dir_ + "/..data");
  std::filesystem::create_symlink("..3", dir_ + "/..data");
  EXPECT_EQ(CopyToGuest({dir_, "/guest"}, send).error().code(), Code::kAborted);
}

TEST_F(CopyFilesTest, LimitsHold) {
  std::ofstream(dir_ + "/a") << std::string(600, 'a');
  std::ofstream(dir_ + "/b") << std::string(600, 'b');
  EXPECT_EQ(Copy(dir_, {.max_bytes = 1000}).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Copy(dir_, {.max_entries = 2}).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Copy(dir_ + "/none").error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace kata_cc::shim
