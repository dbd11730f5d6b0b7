// SPDX-License-Identifier: Apache-2.0
// Numbers: rounding, ranges, bits, and random ones.
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

constexpr std::int64_t kMaxShift = 8'192;  // Bits; beyond kMaxDigits digits nothing is kept anyway.

Error TooLarge() {
  return {Code::kResourceExhausted, "number too large"};
}

template <Decimal (Decimal::*kOperation)() const>
BuiltinResult Rounded(BuiltinContext&, Operands x) {
  const Value* number = TRY(NumberOperand(x, 0));
  if (number->is_small_int()) return *number;
  return Value::Number((number->ToDecimal().*kOperation)());
}

BuiltinResult Abs(BuiltinContext&, Operands x) {
  const Value* number = TRY(NumberOperand(x, 0));
  return Value::Number(number->ToDecimal().Abs());
}

// Any integer, of more than 64 bits too.
Result<BigInt> BigOperand(Operands x, std::size_t i) {
  const Value* number = TRY(NumberOperand(x, i));
  const auto integer = number->ToDecimal().ToBigInt();
  if (integer) return *integer;
  if (number->is_integer()) return TooLarge();
  return OperandError(i + 1, "must be integer number but got floating-point number");
}

BuiltinResult MakeRange(BuiltinContext& context, const BigInt& from, const BigInt& to,
                        const BigInt& step) {
  const bool up = BigInt::Compare(from, to) <= 0;
  BigInt count;
  BigInt::DivMod(up ? to - from : from - to, step, &count, nullptr);
  const auto steps = count.ToInt64();
  constexpr std::int64_t kMaxCount = std::int64_t{1} << 40;
  if (!steps || *steps > kMaxCount) return TooLarge();
  TRY(ChargeItems(context, static_cast<std::uint64_t>(*steps) + 1));
  std::vector<Value> items;
  items.reserve(static_cast<std::size_t>(*steps) + 1);
  BigInt at = from;
  for (std::int64_t i = 0; i <= *steps; ++i) {
    items.push_back(Value::Number(at));
    at = up ? at + step : at - step;
  }
  return Value::Array(std::move(items));
}

BuiltinResult Range(BuiltinContext& context, Operands x) {
  const BigInt from = TRY(BigOperand(x, 0));
  const BigInt to = TRY(BigOperand(x, 1));
  return MakeRange(context, from, to, BigInt(1));
}

BuiltinResult RangeStep(BuiltinContext& context, Operands x) {
  const BigInt from = TRY(BigOperand(x, 0));
  const BigInt to = TRY(BigOperand(x, 1));
  const BigInt step = TRY(BigOperand(x, 2));
  if (step.is_zero() || step.is_negative()) {
    return BuiltinError("numbers.range_step: step must be a positive integer");
  }
  return MakeRange(context, from, to, step);
}

template <BigInt (*kOperation)(const BigInt&, const BigInt&)>
BuiltinResult Bits(BuiltinContext&, Operands x) {
  const BigInt a = TRY(BigOperand(x, 0));
  const BigInt b = TRY(BigOperand(x, 1));
  return Value::Number(kOperation(a, b));
}

BuiltinResult Negate(BuiltinContext&, Operands x) {
  const BigInt a = TRY(BigOperand(x, 0));
  return Value::Number(BigInt::Not(a));
}

template <bool kLeft>
BuiltinResult Shift(BuiltinContext& context, Operands x) {
  const BigInt a = TRY(BigOperand(x, 0));
  const BigInt by = TRY(BigOperand(x, 1));
  if (by.is_negative()) {
    return OperandError(2, "must be an unsigned integer number but got a negative integer");
  }
  const auto count = by.ToInt64();
  if (kLeft && (!count || *count > kMaxShift)) return TooLarge();
  const auto bits = static_cast<std::int64_t>(a.bits());
  const std::int64_t shift = count ? (kLeft ? *count : std::min(*count, bits + 1)) : bits + 1;
  TRY(context.Charge(1 + static_cast<std::uint64_t>(shift + bits) / 64));
  const auto places = static_cast<std::size_t>(shift);
  return Value::Number(kLeft ? a.ShiftLeft(places) : a.ShiftRight(places));
}

BuiltinResult RandomInteger(BuiltinContext& context, Operands x) {
  TRY(StringOperand(x, 0));
  const std::int64_t limit = TRY(IntegerOperand(x, 1));
  if (limit == 0) return Value::Int(0);
  const auto bound =
      limit < 0 ? ~static_cast<std::uint64_t>(limit) + 1 : static_cast<std::uint64_t>(limit);
  // Values above the largest multiple of the bound would favour small results.
  const std::uint64_t excess = (~std::uint64_t{0} % bound + 1) % bound;
  std::uint64_t random = context.Random();
  while (excess != 0 && random > ~std::uint64_t{0} - excess)
    random = context.Random();
  return Value::Int(static_cast<std::int64_t>(random % bound));
}

}  // namespace

std::span<const Builtin> NumberBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"round", 1, Rounded<&Decimal::Round>},
      Builtin{"ceil", 1, Rounded<&Decimal::Ceil>},
      Builtin{"floor", 1, Rounded<&Decimal::Floor>},
      Builtin{"abs", 1, Abs},
      Builtin{"numbers.range", 2, Range},
      Builtin{"numbers.range_step", 3, RangeStep},
      Builtin{"bits.and", 2, Bits<&BigInt::And>},
      Builtin{"bits.or", 2, Bits<&BigInt::Or>},
      Builtin{"bits.xor", 2, Bits<&BigInt::Xor>},
      Builtin{"bits.negate", 1, Negate},
      Builtin{"bits.lsh", 2, Shift<true>},
      Builtin{"bits.rsh", 2, Shift<false>},
      Builtin{"rand.intn", 2, RandomInteger, true},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
