// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/number.h"

#include <gtest/gtest.h>

namespace kata_cc::policy {
namespace {

Decimal D(std::string_view text) {
  return *Decimal::Parse(text);
}

TEST(BigInt, DividesWhatItMultiplied) {
  const BigInt a = *BigInt::Parse("340282366920938463463374607431768211455999999999999999999");
  const BigInt b = *BigInt::Parse("-18446744073709551615123");
  BigInt quotient;
  BigInt remainder;
  BigInt::DivMod(a * b + BigInt(17), b, &quotient, &remainder);
  // Truncation towards zero: the product is negative, so 17 is taken off the quotient.
  EXPECT_EQ((quotient * b + remainder), a * b + BigInt(17));
  EXPECT_LT(BigInt::Compare(remainder.Abs(), b.Abs()), 0);
}

TEST(BigInt, DivisionIdentityHoldsForManySizes) {
  BigInt a(1);
  for (int i = 0; i < 60; ++i) {
    a = a * BigInt(987654321987) + BigInt(i);
    BigInt b(7);
    for (int j = 0; j < 30; ++j) {
      b = b * BigInt(0xffffffff) - BigInt(j);
      BigInt q;
      BigInt r;
      BigInt::DivMod(a, b, &q, &r);
      ASSERT_EQ(q * b + r, a);
      ASSERT_LT(BigInt::Compare(r, b), 0);
    }
  }
}

TEST(BigInt, KeepsTheSmallestInt64) {
  EXPECT_EQ(BigInt(INT64_MIN).ToText(), "-9223372036854775808");
  EXPECT_EQ(BigInt(INT64_MIN).ToInt64(), INT64_MIN);
  EXPECT_EQ((-BigInt(INT64_MIN)).ToInt64(), std::nullopt);
}

TEST(BigInt, BitwiseIsTwosComplement) {
  EXPECT_EQ(BigInt::And(BigInt(-1), BigInt(255)).ToText(), "255");
  EXPECT_EQ(BigInt::Or(BigInt(-256), BigInt(1)).ToText(), "-255");
  EXPECT_EQ(BigInt::Xor(BigInt(-1), BigInt(1)).ToText(), "-2");
  EXPECT_EQ(BigInt::Not(BigInt(0)).ToText(), "-1");
  EXPECT_EQ(BigInt(-5).ShiftRight(1).ToText(), "-3");
  EXPECT_EQ(BigInt(1).ShiftLeft(70).ToText(16), "400000000000000000");
}

TEST(BigInt, RefusesMoreDigitsThanTheLimit) {
  EXPECT_TRUE(BigInt::Parse(std::string(kMaxDigits, '9')));
  EXPECT_FALSE(BigInt::Parse(std::string(kMaxDigits + 1, '9')));
}

TEST(Decimal, ReadsAndWrites) {
  EXPECT_EQ(D("0.1").ToText(), "0.1");
  EXPECT_EQ(D("-12.50").ToText(), "-12.5");
  EXPECT_EQ(D("1e3").ToText(), "1000");
  EXPECT_EQ(D("1.5e-7").ToText(), "1.5e-07");
  EXPECT_EQ(D("1E+2").ToText(), "100");
  for (const char* bad :
       {"", "-", "01", "1.", ".5", "1e", "1e+", "1e+-2", "0x1", "1e1000001", "+1"})
    EXPECT_FALSE(Decimal::Parse(bad)) << bad;
}

TEST(Decimal, ArithmeticIsExact) {
  EXPECT_EQ(Decimal::Add(D("0.1"), D("0.2"))->ToText(), "0.3");
  EXPECT_EQ(Decimal::Multiply(D("1e100"), D("1e-100"))->ToText(), "1");
  EXPECT_EQ(Decimal::Divide(D("1"), D("8"))->ToText(), "0.125");
  EXPECT_EQ(Decimal::Divide(D("1"), D("3"))->ToText(), "0.33333333333333333333");
  EXPECT_EQ(Decimal::Divide(D("-2"), D("3"))->ToText(), "-0.6666666666666666667");
  EXPECT_FALSE(Decimal::Divide(D("1"), D("0")));
}

TEST(Decimal, HugeExponentsAreLimitsNotHangs) {
  EXPECT_EQ(Decimal::Add(D("1e1000000"), D("1")).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(Decimal::Compare(D("1e1000000"), D("1e999999")), 1);
  EXPECT_EQ(Decimal::Compare(D("-1e1000000"), D("1e-1000000")), -1);
  EXPECT_EQ(Decimal::Multiply(D("1e1000000"), D("1e1000000")).error().code(),
            Code::kResourceExhausted);
  EXPECT_EQ(D("1e-1000000").Floor().ToText(), "0");
  EXPECT_EQ(D("-1e-1000000").Floor().ToText(), "-1");
}

TEST(Decimal, Rounds) {
  EXPECT_EQ(D("2.5").Round().ToText(), "3");
  EXPECT_EQ(D("-2.5").Round().ToText(), "-3");
  EXPECT_EQ(D("2.4").Ceil().ToText(), "3");
  EXPECT_EQ(D("-2.4").Ceil().ToText(), "-2");
  EXPECT_EQ(D("-2.4").Floor().ToText(), "-3");
}

}  // namespace
}  // namespace kata_cc::policy
