// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/mount.h"

#include <gtest/gtest.h>
#include <sys/mount.h>

#include "agent/storage/scratch_budget.h"

namespace kata_cc::agent {
namespace {

TEST(ParseMountOptions, SplitsFlagsFromTheFileSystemsOwn) {
  const auto options = ParseMountOptions({"ro", "nosuid", "size=5", "rw", "mode=0700"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->flags, static_cast<unsigned long>(MS_NOSUID));
  EXPECT_EQ(options->data, "size=5,mode=0700");
}

TEST(ParseMountOptions, RefusesOtherKindsOfMountAndHiddenOptions) {
  for (const char* option : {"bind", "rbind", "remount", "move", "shared", "rslave", "", "a,b"}) {
    const auto options = ParseMountOptions({option});
    ASSERT_FALSE(options) << option;
    EXPECT_EQ(options.error().code(), Code::kInvalidArgument);
  }
}

TEST(ScratchBudget, SharesNeverExceedTheTotalAndComeBack) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  ScratchBudget budget(64 * kMiB);
  {
    const auto small = budget.Take(4 * kMiB);
    EXPECT_EQ(small.bytes(), 4 * kMiB);
    const auto half = budget.Take(1000 * kMiB);
    EXPECT_EQ(half.bytes(), 30 * kMiB);
    const auto next = budget.Take(1000 * kMiB);
    EXPECT_EQ(next.bytes(), 15 * kMiB);
    std::vector<ScratchBudget::Share> rest;
    std::uint64_t total = small.bytes() + half.bytes() + next.bytes();
    for (int i = 0; i < 11; ++i) {
      rest.push_back(budget.Take(1000 * kMiB));
      total += rest.back().bytes();
    }
    EXPECT_LE(total, 64 * kMiB);
    EXPECT_GT(rest.back().bytes(), 0U);
  }
  EXPECT_EQ(budget.Take(1000 * kMiB).bytes(), 32 * kMiB);
}

TEST(ScratchBudget, ASizeIsKeptUnlessTheMachineHasLess) {
  const ScratchBudget budget(std::uint64_t{64} << 20);
  for (const char* kept :
       {"1", "65536", "67108864", "64m", "65536k", "65536K", "50%", "", "x", "-1", "1x", "1kk"})
    EXPECT_EQ(budget.Bound(kept), kept);
  for (const char* over : {"0", "0k", "67108865", "65m", "1g", "1T", "18446744073709551615",
                           "99999999999999999999", "99999999999999999999k"})
    EXPECT_EQ(budget.Bound(over), "67108864") << over;
}

}  // namespace
}  // namespace kata_cc::agent
