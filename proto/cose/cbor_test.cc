// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/cbor.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/encoding.h"

namespace kata_cc::cbor {
namespace {

Result<Value> FromHex(const char* hex) {
  return Decode(*HexDecode(hex));
}

TEST(CborTest, IntegersOfEveryWidthRoundTrip) {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{23}, std::int64_t{24}, std::int64_t{255}, std::int64_t{256},
        std::int64_t{65536}, std::int64_t{1} << 32, std::numeric_limits<std::int64_t>::max()}) {
    for (const std::int64_t number : {value, -1 - value}) {
      Encoder encoder;
      encoder.Integer(number);
      const Result<Value> decoded = Decode(std::move(encoder).Take());
      ASSERT_TRUE(decoded);
      EXPECT_EQ(decoded->Integer(), number);
    }
  }
  EXPECT_EQ(FromHex("1bffffffffffffffff")->Integer(), std::nullopt);
}

TEST(CborTest, MapsAreLookedUpByIntegerAndText) {
  Encoder encoder;
  encoder.Map(2).Integer(-7).Text("minus").Text("svn").Integer(3);
  const Value map = *Decode(std::move(encoder).Take());
  EXPECT_EQ(map.Find(-7)->string, "minus");
  EXPECT_EQ(map.Find("svn")->Integer(), 3);
  EXPECT_EQ(map.Find(7), nullptr);
  EXPECT_EQ(map.Find("-7"), nullptr);
}

TEST(CborTest, WhatIsNotOneWholeValueIsRefused) {
  for (const char* hex : {
           "",      // Nothing.
           "0000",  // Two values.
           "18",    // An argument that is not there.
           "1c",
           "1f",        // Reserved forms.
           "5f4100ff",  // Indefinite length, as next three.
           "7f6161ff",
           "9f00ff",
           "bf0000ff",
           "5bffffffffffffffff",  // A string longer than memory.
           "9bffffffffffffffff",
           "bbffffffffffffffff",
           "8100ff",      // A break without a beginning.
           "a201000100",  // A key twice.
           "a2180100",    // Truncated map.
           "a18000",
           "a1f400",  // Keys that are no string or integer.
           "61ff",
           "62c080",
           "63eda080",
           "64f4908080",  // Not UTF-8.
           "f8ff",
           "e0",  // Simple values that mean nothing.
           "c6",  // A tag of nothing.
       }) {
    EXPECT_FALSE(FromHex(hex)) << hex;
  }
  EXPECT_TRUE(FromHex("a201000200"));
  EXPECT_FALSE(Decode(Bytes(kMaxSize + 1)));
}

TEST(CborTest, NestingIsLimited) {
  const auto nested = [](std::size_t depth) {
    Bytes bytes(depth, 0x81);
    bytes.push_back(0);
    return Decode(bytes);
  };
  EXPECT_TRUE(nested(32));
  EXPECT_FALSE(nested(33));
  EXPECT_FALSE(nested(1 << 20));
}

}  // namespace
}  // namespace kata_cc::cbor
