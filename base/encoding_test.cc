// SPDX-License-Identifier: Apache-2.0
#include "base/encoding.h"

#include <gtest/gtest.h>

namespace kata_cc {
namespace {

TEST(EncodingTest, HexRoundTripsAndTakesEitherCase) {
  EXPECT_EQ(HexEncode(Bytes{0x00, 0xaf, 0x10}), "00af10");
  EXPECT_EQ(*HexDecode("00aF10"), (Bytes{0x00, 0xaf, 0x10}));
  EXPECT_FALSE(HexDecode("0"));
  EXPECT_FALSE(HexDecode("0g"));
  EXPECT_FALSE(HexDecode(" 0"));
}

TEST(EncodingTest, Base64MatchesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, text] : cases) {
    EXPECT_EQ(Base64Encode(AsBytes(plain)), text);
    const Result<Bytes> decoded = Base64Decode(text);
    ASSERT_TRUE(decoded) << text;
    EXPECT_EQ(AsString(*decoded), plain);
  }
}

TEST(EncodingTest, Base64RefusesWhatNoEncoderPrints) {
  for (const char* text : {"Zg", "Zg=", "Zh==", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm9-"}) {
    EXPECT_FALSE(Base64Decode(text)) << text;
  }
}

TEST(EncodingTest, Base64UrlHasItsOwnAlphabetAndNoPadding) {
  EXPECT_EQ(Base64UrlEncode(Bytes{0xfb, 0xff}), "-_8");
  EXPECT_EQ(*Base64UrlDecode("-_8"), (Bytes{0xfb, 0xff}));
  EXPECT_FALSE(Base64UrlDecode("-_8="));
  EXPECT_FALSE(Base64UrlDecode("-_9"));
  EXPECT_FALSE(Base64UrlDecode("+/8"));
}

}  // namespace
}  // namespace kata_cc
