// SPDX-License-Identifier: Apache-2.0
// BigInt and Decimal: exact numbers of bounded size, for what does not fit 64 bits.
// Every operation that can grow a number has a limit (kMaxDigits) and says so when it is exceeded;
// costs are quadratic in the number of digits at worst.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::policy {

constexpr std::size_t kMaxDigits = 4'096;

class BigInt {
 public:
  BigInt() = default;
  BigInt(std::int64_t value);  // NOLINT(google-explicit-constructor)

  // An optional sign and digits of base 2..36; nothing if malformed or longer than kMaxDigits.
  static std::optional<BigInt> Parse(std::string_view text, unsigned base = 10);
  std::string ToText(unsigned base = 10) const;  // Lower-case digits.

  bool is_zero() const { return limbs_.empty(); }
  bool is_negative() const { return negative_; }
  bool is_odd() const { return !limbs_.empty() && (limbs_[0] & 1U) != 0; }
  std::size_t bits() const;  // Of the magnitude.
  std::optional<std::int64_t> ToInt64() const;
  double ToDouble() const;

  BigInt operator-() const;
  BigInt Abs() const;
  friend BigInt operator+(const BigInt& a, const BigInt& b);
  friend BigInt operator-(const BigInt& a, const BigInt& b);
  friend BigInt operator*(const BigInt& a, const BigInt& b);
  // Truncated towards zero, the remainder has the sign of a (as C++ and Go). b is not zero.
  static void DivMod(const BigInt& a, const BigInt& b, BigInt* quotient, BigInt* remainder);
  static int Compare(const BigInt& a, const BigInt& b);
  friend bool operator==(const BigInt& a, const BigInt& b) { return Compare(a, b) == 0; }

  BigInt ShiftLeft(std::size_t count) const;
  BigInt ShiftRight(std::size_t count) const;  // Rounds towards minus infinity.

  // On two's complement of unlimited width.
  static BigInt And(const BigInt& a, const BigInt& b);
  static BigInt Or(const BigInt& a, const BigInt& b);
  static BigInt Xor(const BigInt& a, const BigInt& b);
  static BigInt Not(const BigInt& a);

  static BigInt PowerOfTen(std::size_t exponent);

 private:
  static int CompareMagnitude(const BigInt& a, const BigInt& b);
  static BigInt AddMagnitude(const BigInt& a, const BigInt& b);
  static BigInt SubMagnitude(const BigInt& a, const BigInt& b);  // |a| >= |b|
  std::uint32_t DivideSmall(std::uint32_t divisor);              // In place; the remainder.
  void MultiplyAdd(std::uint32_t factor, std::uint32_t addend);
  std::vector<std::uint32_t> TwosComplement(std::size_t width) const;
  static BigInt FromTwosComplement(std::vector<std::uint32_t> limbs);
  template <typename Operation>
  static BigInt Bitwise(const BigInt& a, const BigInt& b, Operation operation);
  void Trim();

  bool negative_ = false;
  std::vector<std::uint32_t> limbs_;  // Little-endian, no leading zeros; zero is empty.
};

// mantissa * 10^exponent, with no trailing zeros in the mantissa (zero has exponent 0).
class Decimal {
 public:
  Decimal() = default;
  Decimal(std::int64_t value);  // NOLINT(google-explicit-constructor)
  explicit Decimal(BigInt value);

  // A number as JSON writes it. Nothing if malformed, of more than kMaxDigits digits, or of an
  // exponent beyond +-1,000,000.
  static std::optional<Decimal> Parse(std::string_view text);
  static Decimal FromDouble(
      double value);  // The shortest decimal that reads back; value is finite.

  // Integers in full up to kMaxDigits digits; others as Go's %g with the digits there are.
  std::string ToText() const;

  bool is_integer() const { return exponent_ >= 0; }
  bool is_zero() const { return mantissa_.is_zero(); }
  bool is_negative() const { return mantissa_.is_negative(); }
  std::optional<std::int64_t> ToInt64() const;  // None if not an integer of that range.
  double ToDouble() const;
  std::optional<BigInt> ToBigInt() const;  // None if no integer, or above kMaxDigits digits.
  const BigInt& mantissa() const { return mantissa_; }
  std::int64_t exponent() const { return exponent_; }

  Decimal operator-() const;
  Decimal Abs() const;
  // ResourceExhausted when the exact result has more than kMaxDigits digits.
  static Result<Decimal> Add(const Decimal& a, const Decimal& b);
  static Result<Decimal> Subtract(const Decimal& a, const Decimal& b);
  static Result<Decimal> Multiply(const Decimal& a, const Decimal& b);
  // Exact when the quotient is a short decimal; otherwise the shortest decimal that determines the
  // quotient at 64 bits of precision. InvalidArgument: b is zero.
  static Result<Decimal> Divide(const Decimal& a, const Decimal& b);
  static int Compare(const Decimal& a, const Decimal& b);

  Decimal Floor() const;
  Decimal Ceil() const;
  Decimal Round() const;  // Half away from zero.

 private:
  static Decimal Make(BigInt mantissa, std::int64_t exponent);
  BigInt ScaledTo(std::int64_t exponent) const;  // exponent <= exponent_.
  BigInt Truncated(bool* inexact) const;

  BigInt mantissa_;
  std::int64_t exponent_ = 0;
};

}  // namespace kata_cc::policy
