// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/number.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace kata_cc::policy {
namespace {

constexpr std::int64_t kMaxExponent = 1'000'000;
constexpr unsigned kLimbBits = 32;

Error TooLong() {
  return {Code::kResourceExhausted,
          "number of more than " + std::to_string(kMaxDigits) + " digits"};
}

// Digits of the value, at least; exact is not needed for a limit.
std::size_t AboutDigits(const BigInt& value) {
  return value.bits() * 30'103 / 100'000 + 1;
}

}  // namespace

BigInt::BigInt(std::int64_t value) : negative_(value < 0) {
  auto magnitude = static_cast<std::uint64_t>(value);
  if (negative_) magnitude = ~magnitude + 1;
  for (; magnitude != 0; magnitude >>= kLimbBits) {
    limbs_.push_back(static_cast<std::uint32_t>(magnitude));
  }
}

void BigInt::Trim() {
  while (!limbs_.empty() && limbs_.back() == 0)
    limbs_.pop_back();
  if (limbs_.empty()) negative_ = false;
}

void BigInt::MultiplyAdd(std::uint32_t factor, std::uint32_t addend) {
  std::uint64_t carry = addend;
  for (std::uint32_t& limb : limbs_) {
    carry += std::uint64_t{limb} * factor;
    limb = static_cast<std::uint32_t>(carry);
    carry >>= kLimbBits;
  }
  if (carry != 0) limbs_.push_back(static_cast<std::uint32_t>(carry));
}

std::uint32_t BigInt::DivideSmall(std::uint32_t divisor) {
  std::uint64_t remainder = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;) {
    remainder = (remainder << kLimbBits) | limbs_[i];
    limbs_[i] = static_cast<std::uint32_t>(remainder / divisor);
    remainder %= divisor;
  }
  Trim();
  return static_cast<std::uint32_t>(remainder);
}

std::optional<BigInt> BigInt::Parse(std::string_view text, unsigned base) {
  BigInt out;
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text.empty() || text.size() > kMaxDigits) return std::nullopt;
  for (const char c : text) {
    unsigned digit = 36;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'z') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'Z') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return std::nullopt;
    out.MultiplyAdd(base, digit);
  }
  out.negative_ = negative;
  out.Trim();
  return out;
}

std::string BigInt::ToText(unsigned base) const {
  if (is_zero()) return "0";
  std::string out;
  BigInt rest = Abs();
  while (!rest.is_zero()) {
    // Nine decimal digits at a time; other bases one by one.
    std::uint32_t part = rest.DivideSmall(base == 10 ? 1'000'000'000 : base);
    for (int i = 0; i < (base == 10 ? 9 : 1); ++i) {
      out.push_back("0123456789abcdefghijklmnopqrstuvwxyz"[part % base]);
      part /= base;
    }
  }
  while (out.size() > 1 && out.back() == '0')
    out.pop_back();
  if (negative_) out.push_back('-');
  std::reverse(out.begin(), out.end());
  return out;
}

std::size_t BigInt::bits() const {
  if (limbs_.empty()) return 0;
  return limbs_.size() * kLimbBits - static_cast<std::size_t>(__builtin_clz(limbs_.back()));
}

std::optional<std::int64_t> BigInt::ToInt64() const {
  if (limbs_.size() > 2) return std::nullopt;
  std::uint64_t magnitude = 0;
  for (std::size_t i = limbs_.size(); i-- > 0;)
    magnitude = (magnitude << kLimbBits) | limbs_[i];
  constexpr auto kMin = std::uint64_t{1} << 63U;
  if (magnitude > kMin || (magnitude == kMin && !negative_)) return std::nullopt;
  return static_cast<std::int64_t>(negative_ ? ~magnitude + 1 : magnitude);
}

double BigInt::ToDouble() const {
  return std::strtod(ToText().c_str(), nullptr);
}

BigInt BigInt::operator-() const {
  BigInt out = *this;
  if (!is_zero()) out.negative_ = !negative_;
  return out;
}

BigInt BigInt::Abs() const {
  BigInt out = *this;
  out.negative_ = false;
  return out;
}

int BigInt::CompareMagnitude(const BigInt& a, const BigInt& b) {
  if (a.limbs_.size() != b.limbs_.size()) return a.limbs_.size() < b.limbs_.size() ? -1 : 1;
  for (std::size_t i = a.limbs_.size(); i-- > 0;) {
    if (a.limbs_[i] != b.limbs_[i]) return a.limbs_[i] < b.limbs_[i] ? -1 : 1;
  }
  return 0;
}

int BigInt::Compare(const BigInt& a, const BigInt& b) {
  if (a.negative_ != b.negative_) return a.negative_ ? -1 : 1;
  return a.negative_ ? CompareMagnitude(b, a) : CompareMagnitude(a, b);
}

BigInt BigInt::AddMagnitude(const BigInt& a, const BigInt& b) {
  BigInt out;
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < std::max(a.limbs_.size(), b.limbs_.size()) || carry != 0; ++i) {
    if (i < a.limbs_.size()) carry += a.limbs_[i];
    if (i < b.limbs_.size()) carry += b.limbs_[i];
    out.limbs_.push_back(static_cast<std::uint32_t>(carry));
    carry >>= kLimbBits;
  }
  return out;
}

BigInt BigInt::SubMagnitude(const BigInt& a, const BigInt& b) {
  BigInt out;
  std::int64_t borrow = 0;
  for (std::size_t i = 0; i < a.limbs_.size(); ++i) {
    std::int64_t difference = std::int64_t{a.limbs_[i]} - borrow;
    if (i < b.limbs_.size()) difference -= b.limbs_[i];
    borrow = difference < 0 ? 1 : 0;
    out.limbs_.push_back(static_cast<std::uint32_t>(difference));
  }
  out.Trim();
  return out;
}

BigInt operator+(const BigInt& a, const BigInt& b) {
  BigInt out;
  if (a.negative_ == b.negative_) {
    out = BigInt::AddMagnitude(a, b);
    out.negative_ = a.negative_;
  } else if (BigInt::CompareMagnitude(a, b) >= 0) {
    out = BigInt::SubMagnitude(a, b);
    out.negative_ = a.negative_;
  } else {
    out = BigInt::SubMagnitude(b, a);
    out.negative_ = b.negative_;
  }
  out.Trim();
  return out;
}

BigInt operator-(const BigInt& a, const BigInt& b) {
  return a + (-b);
}

BigInt operator*(const BigInt& a, const BigInt& b) {
  BigInt out;
  if (a.is_zero() || b.is_zero()) return out;
  out.limbs_.assign(a.limbs_.size() + b.limbs_.size(), 0);
  for (std::size_t i = 0; i < a.limbs_.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.limbs_.size(); ++j) {
      carry += std::uint64_t{a.limbs_[i]} * b.limbs_[j] + out.limbs_[i + j];
      out.limbs_[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= kLimbBits;
    }
    out.limbs_[i + b.limbs_.size()] = static_cast<std::uint32_t>(carry);
  }
  out.negative_ = a.negative_ != b.negative_;
  out.Trim();
  return out;
}

void BigInt::DivMod(const BigInt& a, const BigInt& b, BigInt* quotient, BigInt* remainder) {
  BigInt q;
  BigInt r;
  if (CompareMagnitude(a, b) < 0) {
    r = a;
  } else if (b.limbs_.size() == 1) {
    q = a.Abs();
    r = BigInt(std::int64_t{q.DivideSmall(b.limbs_[0])});
  } else {
    // Knuth's algorithm D, on a divisor whose top bit is set.
    const auto shift = static_cast<std::size_t>(__builtin_clz(b.limbs_.back()));
    const BigInt v = b.Abs().ShiftLeft(shift);
    BigInt u = a.Abs().ShiftLeft(shift);
    const std::size_t n = v.limbs_.size();
    u.limbs_.resize(std::max(u.limbs_.size(), a.limbs_.size()) + 1, 0);
    const std::size_t m = u.limbs_.size() - n - 1;
    q.limbs_.assign(m + 1, 0);
    for (std::size_t j = m + 1; j-- > 0;) {
      const std::uint64_t top = (std::uint64_t{u.limbs_[j + n]} << kLimbBits) | u.limbs_[j + n - 1];
      std::uint64_t guess = top / v.limbs_[n - 1];
      std::uint64_t rest = top % v.limbs_[n - 1];
      constexpr std::uint64_t kBase = std::uint64_t{1} << kLimbBits;
      while (guess >= kBase ||
             guess * v.limbs_[n - 2] > ((rest << kLimbBits) | u.limbs_[j + n - 2])) {
        --guess;
        rest += v.limbs_[n - 1];
        if (rest >= kBase) break;
      }
      std::int64_t borrow = 0;
      std::uint64_t carry = 0;
      for (std::size_t i = 0; i < n; ++i) {
        carry += guess * v.limbs_[i];
        const std::int64_t part = std::int64_t{u.limbs_[i + j]} - borrow -
                                  static_cast<std::int64_t>(carry & 0xffff'ffffU);
        u.limbs_[i + j] = static_cast<std::uint32_t>(part);
        borrow = part < 0 ? 1 : 0;
        carry >>= kLimbBits;
      }
      const std::int64_t part =
          std::int64_t{u.limbs_[j + n]} - borrow - static_cast<std::int64_t>(carry);
      u.limbs_[j + n] = static_cast<std::uint32_t>(part);
      if (part < 0) {
        --guess;
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < n; ++i) {
          sum += std::uint64_t{u.limbs_[i + j]} + v.limbs_[i];
          u.limbs_[i + j] = static_cast<std::uint32_t>(sum);
          sum >>= kLimbBits;
        }
        u.limbs_[j + n] += static_cast<std::uint32_t>(sum);
      }
      q.limbs_[j] = static_cast<std::uint32_t>(guess);
    }
    u.Trim();
    r = u.ShiftRight(shift);
  }
  q.negative_ = a.negative_ != b.negative_;
  q.Trim();
  r.negative_ = a.negative_;
  r.Trim();
  if (quotient != nullptr) *quotient = std::move(q);
  if (remainder != nullptr) *remainder = std::move(r);
}

BigInt BigInt::ShiftLeft(std::size_t count) const {
  BigInt out;
  if (is_zero()) return out;
  const std::size_t limbs = count / kLimbBits;
  const unsigned bits = count % kLimbBits;
  out.limbs_.assign(limbs, 0);
  std::uint64_t carry = 0;
  for (const std::uint32_t limb : limbs_) {
    carry |= std::uint64_t{limb} << bits;
    out.limbs_.push_back(static_cast<std::uint32_t>(carry));
    carry >>= kLimbBits;
  }
  out.limbs_.push_back(static_cast<std::uint32_t>(carry));
  out.negative_ = negative_;
  out.Trim();
  return out;
}

BigInt BigInt::ShiftRight(std::size_t count) const {
  if (negative_) return Not(Not(*this).ShiftRight(count));
  BigInt out;
  const std::size_t limbs = count / kLimbBits;
  const unsigned bits = count % kLimbBits;
  for (std::size_t i = limbs; i < limbs_.size(); ++i) {
    std::uint64_t part = limbs_[i];
    if (i + 1 < limbs_.size()) part |= std::uint64_t{limbs_[i + 1]} << kLimbBits;
    out.limbs_.push_back(static_cast<std::uint32_t>(part >> bits));
  }
  out.Trim();
  return out;
}

std::vector<std::uint32_t> BigInt::TwosComplement(std::size_t width) const {
  std::vector<std::uint32_t> out = limbs_;
  out.resize(width, 0);
  if (!negative_) return out;
  std::uint64_t carry = 1;
  for (std::uint32_t& limb : out) {
    carry += static_cast<std::uint32_t>(~limb);
    limb = static_cast<std::uint32_t>(carry);
    carry >>= kLimbBits;
  }
  return out;
}

BigInt BigInt::FromTwosComplement(std::vector<std::uint32_t> limbs) {
  BigInt out;
  const bool negative = !limbs.empty() && (limbs.back() >> 31U) != 0;
  out.limbs_ = std::move(limbs);
  if (negative) {
    out.negative_ = true;
    out.limbs_ = out.TwosComplement(out.limbs_.size());
  }
  out.Trim();
  return out;
}

template <typename Operation>
BigInt BigInt::Bitwise(const BigInt& a, const BigInt& b, Operation operation) {
  const std::size_t width = std::max(a.limbs_.size(), b.limbs_.size()) + 1;
  std::vector<std::uint32_t> out = a.TwosComplement(width);
  const std::vector<std::uint32_t> other = b.TwosComplement(width);
  for (std::size_t i = 0; i < width; ++i)
    out[i] = operation(out[i], other[i]);
  return FromTwosComplement(std::move(out));
}

BigInt BigInt::And(const BigInt& a, const BigInt& b) {
  return Bitwise(a, b, [](std::uint32_t x, std::uint32_t y) { return x & y; });
}
BigInt BigInt::Or(const BigInt& a, const BigInt& b) {
  return Bitwise(a, b, [](std::uint32_t x, std::uint32_t y) { return x | y; });
}
BigInt BigInt::Xor(const BigInt& a, const BigInt& b) {
  return Bitwise(a, b, [](std::uint32_t x, std::uint32_t y) { return x ^ y; });
}
BigInt BigInt::Not(const BigInt& a) {
  return -a - BigInt(1);
}

BigInt BigInt::PowerOfTen(std::size_t exponent) {
  BigInt out(1);
  for (; exponent >= 9; exponent -= 9)
    out.MultiplyAdd(1'000'000'000, 0);
  for (; exponent > 0; --exponent)
    out.MultiplyAdd(10, 0);
  return out;
}

Decimal::Decimal(std::int64_t value) : Decimal(BigInt(value)) {}
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

namespace {

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
