// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/module_list.h"

#include <gtest/gtest.h>

namespace kata_cc::agent {
namespace {

TEST(ModuleList, KeepsOrderParametersAndOptional) {
  const auto list = ParseModuleList(
      "# what the initrd carries\n"
      "virtio_blk.ko\n"
      "\n"
      "  fs/overlay.ko  metacopy=off index=off  # comment\n"
      "?sev-guest.ko");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].path, "virtio_blk.ko");
  EXPECT_EQ((*list)[1].path, "fs/overlay.ko");
  EXPECT_EQ((*list)[1].parameters, "metacopy=off index=off");
  EXPECT_FALSE((*list)[1].optional);
  EXPECT_EQ((*list)[2].path, "sev-guest.ko");
  EXPECT_TRUE((*list)[2].optional);
}

TEST(ModuleList, AGroupComesFirst) {
  const auto list = ParseModuleList("@snp ?sev-guest.ko\n@overlay  overlay.ko index=off\nx.ko\n");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 3U);
  EXPECT_EQ((*list)[0].group, "snp");
  EXPECT_EQ((*list)[0].path, "sev-guest.ko");
  EXPECT_TRUE((*list)[0].optional);
  EXPECT_EQ((*list)[1].group, "overlay");
  EXPECT_EQ((*list)[1].parameters, "index=off");
  EXPECT_EQ((*list)[2].group, "");
  EXPECT_FALSE(ParseModuleList("@snp\n"));
  EXPECT_FALSE(ParseModuleList("@ x.ko\n"));
}

TEST(ModuleList, RefusesPathsOutOfItsDirectory) {
  EXPECT_FALSE(ParseModuleList("ok.ko\n../x.ko\n"));
  EXPECT_FALSE(ParseModuleList("? x.ko\n"));
}

}  // namespace
}  // namespace kata_cc::agent
