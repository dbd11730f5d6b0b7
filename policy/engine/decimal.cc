// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "policy/engine/number.h"

namespace kata_cc::policy {
namespace {

constexpr std::int64_t kMaxExponent = 1'000'000;

Error TooLong() {
  return {Code::kResourceExhausted,
          "number of more than " + std::to_string(kMaxDigits) + " digits"};
}

// Digits of the value, at least; exact is not needed for a limit.
std::size_t AboutDigits(const BigInt& value) {
  return value.bits() * 30'103 / 100'000 + 1;
}

// numerator / denominator (positive) rounded to 64 bits, half to even: mantissa * 2^exponent.
std::pair<BigInt, std::int64_t> RoundTo64Bits(const BigInt& numerator, const BigInt& denominator) {
  constexpr std::int64_t kPrecision = 64;
  std::int64_t exponent = static_cast<std::int64_t>(numerator.bits()) -
                          static_cast<std::int64_t>(denominator.bits()) - kPrecision;
  BigInt quotient;
  BigInt remainder;
  BigInt divisor;
  for (;; ++exponent) {
    const auto up = static_cast<std::size_t>(std::max<std::int64_t>(-exponent, 0));
    const auto down = static_cast<std::size_t>(std::max<std::int64_t>(exponent, 0));
    divisor = denominator.ShiftLeft(down);
    BigInt::DivMod(numerator.ShiftLeft(up), divisor, &quotient, &remainder);
    if (quotient.bits() <= static_cast<std::size_t>(kPrecision)) break;
  }
  const int half = BigInt::Compare(remainder + remainder, divisor);
  if (half > 0 || (half == 0 && quotient.is_odd())) quotient = quotient + BigInt(1);
  while (!quotient.is_zero() && !quotient.is_odd()) {
    quotient = quotient.ShiftRight(1);
    ++exponent;
  }
  return {quotient, exponent};
}

}  // namespace

Decimal::Decimal(BigInt value) {
  *this = Make(std::move(value), 0);
}

Decimal Decimal::Make(BigInt mantissa, std::int64_t exponent) {
  Decimal out;
  if (mantissa.is_zero()) return out;
  const std::string digits = mantissa.ToText();
  const std::size_t last = digits.find_last_not_of('0');
  const std::size_t zeros = digits.size() - 1 - last;
  if (zeros > 0) {
    BigInt quotient;
    BigInt::DivMod(mantissa, BigInt::PowerOfTen(zeros), &quotient, nullptr);
    mantissa = std::move(quotient);
  }
  out.mantissa_ = std::move(mantissa);
  out.exponent_ = exponent + static_cast<std::int64_t>(zeros);
  return out;
}

std::optional<Decimal> Decimal::Parse(std::string_view text) {
  std::string digits;
  std::size_t i = 0;
  if (i < text.size() && text[i] == '-') digits.push_back(text[i++]);
  const auto take_digits = [&] {
    const std::size_t start = i;
    while (i < text.size() && text[i] >= '0' && text[i] <= '9')
      digits.push_back(text[i++]);
    return i - start;
  };
  const std::size_t integer_start = i;
  const std::size_t integers = take_digits();
  if (integers == 0 || (integers > 1 && text[integer_start] == '0')) return std::nullopt;
  std::int64_t exponent = 0;
  if (i < text.size() && text[i] == '.') {
    ++i;
    const std::size_t fraction = take_digits();
    if (fraction == 0) return std::nullopt;
    exponent = -static_cast<std::int64_t>(fraction);
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && text[i] == '+') {
      ++i;
      if (i < text.size() && text[i] == '-') return std::nullopt;
    }
    std::int64_t written = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), written);
    if (error != std::errc() || end == text.data() + i) return std::nullopt;
    i = static_cast<std::size_t>(end - text.data());
    if (written > kMaxExponent || written < -kMaxExponent) return std::nullopt;
    exponent += written;
  }
  if (i != text.size()) return std::nullopt;
  auto mantissa = BigInt::Parse(digits);
  if (!mantissa) return std::nullopt;
  return Make(*std::move(mantissa), exponent);
}

Decimal Decimal::FromDouble(double value) {
  std::array<char, 64> text{};
  const auto [end, error] =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific);
  if (error != std::errc()) return {};
  return Parse(std::string_view(text.data(), static_cast<std::size_t>(end - text.data())))
      .value_or(Decimal());
}

std::string Decimal::ToText() const {
  std::string digits = mantissa_.Abs().ToText();
  const std::string sign = mantissa_.is_negative() ? "-" : "";
  const auto count = static_cast<std::int64_t>(digits.size());
  if (exponent_ >= 0 && count + exponent_ <= static_cast<std::int64_t>(kMaxDigits)) {
    return sign + digits + std::string(static_cast<std::size_t>(exponent_), '0');
  }
  const std::int64_t scale = count + exponent_ - 1;  // Of the first digit.
  constexpr std::int64_t kPlainBelow = 21;
  if (scale >= -4 && scale < kPlainBelow && exponent_ < 0) {
    if (scale < 0)
      return sign + "0." + std::string(static_cast<std::size_t>(-scale - 1), '0') + digits;
    return sign + digits.insert(static_cast<std::size_t>(scale + 1), ".");
  }
  if (digits.size() > 1) digits.insert(1, ".");
  std::string power = std::to_string(std::abs(scale));
  if (power.size() < 2) power.insert(0, "0");
  return sign + digits + (scale < 0 ? "e-" : "e+") + power;
}

std::optional<std::int64_t> Decimal::ToInt64() const {
  if (exponent_ < 0 || exponent_ > 19) return std::nullopt;
  return ScaledTo(0).ToInt64();
}

double Decimal::ToDouble() const {
  return std::strtod((mantissa_.ToText() + "e" + std::to_string(exponent_)).c_str(), nullptr);
}

std::optional<BigInt> Decimal::ToBigInt() const {
  if (exponent_ < 0 || AboutDigits(mantissa_) + static_cast<std::size_t>(exponent_) > kMaxDigits) {
    return std::nullopt;
  }
  return ScaledTo(0);
}

Decimal Decimal::operator-() const {
  Decimal out = *this;
  out.mantissa_ = -out.mantissa_;
  return out;
}

Decimal Decimal::Abs() const {
  Decimal out = *this;
  out.mantissa_ = out.mantissa_.Abs();
  return out;
}

BigInt Decimal::ScaledTo(std::int64_t exponent) const {
  if (exponent == exponent_) return mantissa_;
  return mantissa_ * BigInt::PowerOfTen(static_cast<std::size_t>(exponent_ - exponent));
}

Result<Decimal> Decimal::Add(const Decimal& a, const Decimal& b) {
  if (a.is_zero()) return b;
  if (b.is_zero()) return a;
  const std::int64_t exponent = std::min(a.exponent_, b.exponent_);
  const auto gap = static_cast<std::size_t>(std::max(a.exponent_, b.exponent_) - exponent);
  const std::size_t digits = std::max(AboutDigits(a.mantissa_), AboutDigits(b.mantissa_));
  if (gap + digits > 2 * kMaxDigits) return TooLong();
  Decimal out = Make(a.ScaledTo(exponent) + b.ScaledTo(exponent), exponent);
  if (AboutDigits(out.mantissa_) > kMaxDigits) return TooLong();
  return out;
}

Result<Decimal> Decimal::Subtract(const Decimal& a, const Decimal& b) {
  return Add(a, -b);
}

Result<Decimal> Decimal::Multiply(const Decimal& a, const Decimal& b) {
  if (AboutDigits(a.mantissa_) + AboutDigits(b.mantissa_) > kMaxDigits) return TooLong();
  const std::int64_t exponent = a.exponent_ + b.exponent_;
  if (exponent > kMaxExponent || exponent < -kMaxExponent) return TooLong();
  return Make(a.mantissa_ * b.mantissa_, exponent);
}

Result<Decimal> Decimal::Divide(const Decimal& a, const Decimal& b) {
  if (b.is_zero()) return Error(Code::kInvalidArgument, "divide by zero");
  if (a.is_zero()) return Decimal();
  BigInt numerator = a.mantissa_.Abs();
  BigInt denominator = b.mantissa_.Abs();
  const bool negative = a.is_negative() != b.is_negative();
  std::int64_t exponent = a.exponent_ - b.exponent_;
  BigInt quotient;
  BigInt remainder;
  BigInt::DivMod(numerator, denominator, &quotient, &remainder);
  if (!remainder.is_zero()) {
    // A finite decimal of few digits is exact: an odd divisor without 5s never ends.
    constexpr std::size_t kExtra = 19;
    const BigInt scaled = numerator * BigInt::PowerOfTen(kExtra);
    BigInt::DivMod(scaled, denominator, &quotient, &remainder);
    if (remainder.is_zero() && AboutDigits(quotient) <= kExtra) {
      exponent -= static_cast<std::int64_t>(kExtra);
    } else {
      const auto target = RoundTo64Bits(numerator, denominator);
      const auto magnitude = static_cast<std::int64_t>(AboutDigits(numerator)) -
                             static_cast<std::int64_t>(AboutDigits(denominator));
      constexpr std::int64_t kMostDigits = 23;
      for (std::int64_t places = 15 - magnitude;; ++places) {
        const BigInt up =
            BigInt::PowerOfTen(static_cast<std::size_t>(std::max<std::int64_t>(places, 0)));
        const BigInt down =
            BigInt::PowerOfTen(static_cast<std::size_t>(std::max<std::int64_t>(-places, 0)));
        const BigInt divisor = denominator * down;
        BigInt::DivMod(numerator * up, divisor, &quotient, &remainder);
        if (BigInt::Compare(remainder + remainder, divisor) >= 0) quotient = quotient + BigInt(1);
        if (places >= kMostDigits - magnitude || RoundTo64Bits(quotient * down, up) == target) {
          exponent -= places;
          break;
        }
      }
    }
  }
  if (exponent > kMaxExponent || exponent < -kMaxExponent) return TooLong();
  return Make(negative ? -quotient : quotient, exponent);
}

int Decimal::Compare(const Decimal& a, const Decimal& b) {
  if (a.is_zero() || b.is_zero() || a.is_negative() != b.is_negative()) {
    const int sign_a = a.is_zero() ? 0 : (a.is_negative() ? -1 : 1);
    const int sign_b = b.is_zero() ? 0 : (b.is_negative() ? -1 : 1);
    return sign_a < sign_b ? -1 : (sign_a > sign_b ? 1 : 0);
  }
  // By magnitude first, so that 1e1000000 is never written out.
  const auto top = [](const Decimal& x) {
    return static_cast<std::int64_t>(x.mantissa_.Abs().ToText().size()) + x.exponent_;
  };
  const int sign = a.is_negative() ? -1 : 1;
  const std::int64_t top_a = top(a);
  const std::int64_t top_b = top(b);
  if (top_a != top_b) return top_a < top_b ? -sign : sign;
  const std::int64_t exponent = std::min(a.exponent_, b.exponent_);
  return BigInt::Compare(a.ScaledTo(exponent), b.ScaledTo(exponent));
}

BigInt Decimal::Truncated(bool* inexact) const {
  // Fewer digits than places: nothing is left before the point.
  if (-exponent_ > static_cast<std::int64_t>(AboutDigits(mantissa_)) + 1) {
    *inexact = true;
    return {};
  }
  BigInt quotient;
  BigInt remainder;
  BigInt::DivMod(mantissa_, BigInt::PowerOfTen(static_cast<std::size_t>(-exponent_)), &quotient,
                 &remainder);
  *inexact = !remainder.is_zero();
  return quotient;
}

Decimal Decimal::Floor() const {
  if (is_integer()) return *this;
  bool inexact = false;
  BigInt whole = Truncated(&inexact);
  if (inexact && is_negative()) whole = whole - BigInt(1);
  return Decimal(std::move(whole));
}

Decimal Decimal::Ceil() const {
  return -((-*this).Floor());
}

Decimal Decimal::Round() const {
  if (is_integer()) return *this;
  Decimal half = Make(BigInt(5), -1);
  const auto sum = Add(Abs(), half);
  if (!sum) return Decimal();  // Too many places to be half of anything.
  const Decimal rounded = sum->Floor();
  return is_negative() ? -rounded : rounded;
}

}  // namespace kata_cc::policy
