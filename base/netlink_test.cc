// SPDX-License-Identifier: Apache-2.0
#include "base/netlink.h"

#include <gtest/gtest.h>

namespace kata_cc {
namespace {

TEST(ParseAttributes, StopsAtWhatDoesNotFit) {
  // Length 8 type 1, then length 200 in 8 bytes.
  const Bytes message = {8, 0, 1, 0, 5, 0, 0, 0, 200, 0, 2, 0, 9, 9, 9, 9};
  const auto attributes = ParseAttributes(message, 0);
  ASSERT_EQ(attributes.size(), 1U);
  EXPECT_EQ(attributes[0].AsNumber(), 5U);
  EXPECT_TRUE(ParseAttributes(ByteView(message).first(3), 0).empty());
  EXPECT_TRUE(ParseAttributes(message, 100).empty());
  const Bytes zero = {0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_TRUE(ParseAttributes(zero, 0).empty());
}

TEST(NetlinkRequest, NestedAttributesAreInTheLengthOfTheirParent) {
  NetlinkRequest request(1, 0, std::uint32_t{7});
  request.AddNested(3, [](NetlinkRequest& r) { r.AddText(4, "ab"); });
  const ByteView bytes = request.Finish(9);
  ASSERT_EQ(bytes.size(), sizeof(nlmsghdr) + 4 + 4 + 8);
  EXPECT_EQ(LoadLe<std::uint32_t>(bytes, 0), bytes.size());
  const auto outer = ParseAttributes(bytes.subspan(sizeof(nlmsghdr)), 4);
  ASSERT_EQ(outer.size(), 1U);
  const auto inner = ParseAttributes(outer[0].value, 0);
  ASSERT_EQ(inner.size(), 1U);
  EXPECT_EQ(inner[0].type, 4);
  EXPECT_EQ(inner[0].AsText(), "ab");
}

}  // namespace
}  // namespace kata_cc
