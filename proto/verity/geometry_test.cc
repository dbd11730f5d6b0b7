// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/geometry.h"

#include <gtest/gtest.h>

#include <vector>

#include "proto/verity/bytes.h"

namespace kata_cc::verity {
namespace {

TEST(GeometryTest, CountsTheTreesBlocks) {
  EXPECT_EQ(Geometry{2}.HashBlocks(), 1U);
  EXPECT_EQ(Geometry{128}.HashBlocks(), 1U);
  EXPECT_EQ(Geometry{129}.HashBlocks(), 3U);
  EXPECT_EQ(Geometry{31851}.HashBlocks(), 252U);
  EXPECT_EQ(Geometry{2}.TotalBytes(), 4U * 4096);
}

TEST(GeometryTest, IsRefusedWhenItDoesNotFitTheDevice) {
  EXPECT_TRUE(CheckGeometry({100}, 101 * 4096));
  EXPECT_FALSE(CheckGeometry({100}, 101 * 4096 - 1));
  EXPECT_FALSE(CheckGeometry({0}, 1 << 30));
  EXPECT_FALSE(CheckGeometry({1}, 1 << 30));
  EXPECT_FALSE(CheckGeometry({kMaxDataBlocks + 1}, UINT64_MAX));
  EXPECT_FALSE(CheckGeometry({UINT64_MAX}, UINT64_MAX));
}

TEST(TrailerTest, ComesBackAsItWas) {
  Digest root{};
  root[0] = 7;
  const Trailer block = EncodeTrailer({1234}, root);
  const auto fields = ParseTrailer(block);
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->geometry.data_blocks, 1234U);
  EXPECT_EQ(fields->root_hash, root);
}

TEST(TrailerTest, RefusesEveryChangedByteOutsideOfItsValues) {
  const Trailer good = EncodeTrailer({1234}, Digest{});
  for (std::size_t i = 0; i < good.size(); ++i) {
    Trailer bad = good;
    bad[i] ^= 0x80;
    const bool is_value = (i >= 16 && i < 48) || (i >= 3592 && i < 3592 + 3);
    EXPECT_EQ(ParseTrailer(bad).has_value(), is_value) << i;
  }
  EXPECT_FALSE(ParseTrailer(std::span(good).first(4095)));
}

TEST(SuperblockTest, MustSayTheGeometry) {
  std::vector<uint8_t> block(kBlockSize);
  EXPECT_FALSE(CheckSuperblock(block, {77}));
  PutLe32(block, 1024, 0xE0F5E1E2);
  block[1036] = 12;
  PutLe32(block, 1060, 77);
  EXPECT_TRUE(CheckSuperblock(block, {77}));
  EXPECT_FALSE(CheckSuperblock(block, {76}));
  EXPECT_FALSE(CheckSuperblock(std::span(block).first(2048), {77}));
}

TEST(DigestTest, IsSixtyFourLowerCaseDigits) {
  const std::string text(62, '0');
  const auto digest = ParseDigest(text + "a5");
  ASSERT_TRUE(digest);
  EXPECT_EQ(digest->back(), 0xA5);
  EXPECT_EQ(ToHex(*digest), text + "a5");
  for (const std::string& bad : {text, text + "A5", text + "g5", text + "a55", std::string()})
    EXPECT_FALSE(ParseDigest(bad)) << bad;
}

}  // namespace
}  // namespace kata_cc::verity
