// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <gtest/gtest.h>

namespace kata_cc {
namespace {

TEST(FileTest, WhatWasWrittenIsRead) {
  const std::string path = testing::TempDir() + "/file_test";
  const Bytes bytes(10000, 7);
  ASSERT_TRUE(WriteFile(path, bytes));
  EXPECT_EQ(*ReadFile(path, 10000), bytes);
  EXPECT_EQ(ReadFile(path, 9999).error().code(), Code::kResourceExhausted);
}

TEST(FileTest, PseudoFilesOfUnknownSizeAreRead) {
  EXPECT_FALSE(ReadFile("/proc/stat", 1 << 20)->empty());
}

TEST(FileTest, AMissingFileIsNotFound) {
  EXPECT_EQ(ReadFile("/nonexistent/file", 1).error().code(), Code::kNotFound);
}

}  // namespace
}  // namespace kata_cc
