// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/encrypted_disk.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace kata_cc::agent {
namespace {

constexpr std::uint64_t kMiB = 2048;  // In sectors.

TEST(EncryptedSectors, LeavesRoomForTagsAndKeepsMostOfTheDisk) {
  EXPECT_EQ(EncryptedSectors(0), 0U);
  EXPECT_EQ(EncryptedSectors(16 * kMiB), 0U);
  for (const std::uint64_t disk : {32 * kMiB, 64 * kMiB, 1000 * kMiB, kMiB << 20U, kMiB << 30U}) {
    const std::uint64_t content = EncryptedSectors(disk);
    EXPECT_GT(content, 0U);
    EXPECT_EQ(content % 8, 0U);
    EXPECT_LE(content + content / 4096 * 48, disk);
    EXPECT_GE(content + content / 50 + 24 * kMiB, disk);
  }
}

TEST(EncryptedDisk, RefusesADiskThatIsTooSmallWithoutTouchingIt) {
  const BlockDevice device = {"/nowhere", 1, 1, 1U << 20U};
  const auto made = EncryptedDisk::Create(device);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace kata_cc::agent
