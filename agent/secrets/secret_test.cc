// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets/secret.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <type_traits>

namespace kata_cc::agent {
namespace {

// The kernel's flags of the mapping that holds address: "lo" locked, "dd" not dumped.
std::string FlagsOf(const void* address) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  bool found = false;
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      found = begin <= wanted && wanted < end;
    } else if (found && line.starts_with("VmFlags:")) {
      return line + " ";
    }
  }
  return "";
}

TEST(Secret, IsLockedAndNotDumped) {
  const Secret secret = *Secret::Copy(AsBytes("the secret"));
  EXPECT_EQ(secret.text(), "the secret");
  const std::string flags = FlagsOf(secret.view().data());
  EXPECT_NE(flags.find(" lo "), std::string::npos) << flags;
  EXPECT_NE(flags.find(" dd "), std::string::npos) << flags;
}

TEST(Secret, MovesAndIsNeverCopied) {
  static_assert(!std::is_copy_constructible_v<Secret>);
  Secret a = *Secret::Copy(AsBytes("one"));
  Secret b = std::move(a);
  EXPECT_EQ(b.text(), "one");
  Secret c = *Secret::Copy(AsBytes("two"));
  c = std::move(b);
  EXPECT_EQ(c.text(), "one");
  Secret& self = c;
  c = std::move(self);
  EXPECT_EQ(c.text(), "one");
  c.Shrink(2);
  EXPECT_EQ(c.text(), "on");
  EXPECT_EQ(Secret::Make(0)->size(), 0U);
}

TEST(Secret, TheMemoryIsGoneAtTheEnd) {
  const std::uint8_t* address = nullptr;
  {
    const Secret secret = *Secret::Copy(AsBytes("the secret"));
    address = secret.view().data();
  }
  EXPECT_EQ(FlagsOf(address).find(" lo "), std::string::npos);
}

TEST(Secret, WhatCannotBeLockedIsRefused) {
  EXPECT_FALSE(Secret::Make(std::size_t{1} << 46));
}

}  // namespace
}  // namespace kata_cc::agent
