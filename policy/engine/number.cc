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

constexpr unsigned kLimbBits = 32;

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

}  // namespace kata_cc::policy
