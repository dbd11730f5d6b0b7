// SPDX-License-Identifier: Apache-2.0
#include "shim/clean_pages.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "base/unique_fd.h"

namespace kata_cc::shim {
namespace {

constexpr std::size_t kBytes = 8U << 20;

TEST(CleanPagesTest, WhatWasOnlyReadIsDroppedAndReadBack) {
  const UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file.valid());
  const std::string text(kBytes, 'x');
  ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(kBytes));
  void* const map = ::mmap(nullptr, kBytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  ASSERT_EQ(std::memcmp(map, text.data(), kBytes), 0);
  const std::size_t before = *ResidentFileBytes();
  EXPECT_GE(before, kBytes);
  ASSERT_TRUE(DropCleanPages());
  EXPECT_LE(*ResidentFileBytes() + kBytes, before);
  EXPECT_EQ(std::memcmp(map, text.data(), kBytes), 0);
  ::munmap(map, kBytes);
}

TEST(CleanPagesTest, WhatWasWrittenStays) {
  const UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file.valid());
  ASSERT_EQ(::ftruncate(file.get(), kBytes), 0);
  void* const map = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  std::memset(map, 'y', 100);
  ASSERT_EQ(::mprotect(map, kBytes, PROT_READ), 0);  // As the loader does with relocated data.
  ASSERT_TRUE(DropCleanPages());
  EXPECT_EQ(std::string(static_cast<const char*>(map), 100), std::string(100, 'y'));
  ::munmap(map, kBytes);
}

}  // namespace
}  // namespace kata_cc::shim
