// SPDX-License-Identifier: Apache-2.0
// What the operators mean, under their function names, and count.
#include <algorithm>
#include <array>
#include <iterator>

#include "policy/engine/builtins/families.h"

namespace kata_cc::policy {
namespace {

using Operands = std::span<const Value>;

Result<void> TwoNumbers(Operands x) {
  TRY(NumberOperand(x, 0));
  TRY(NumberOperand(x, 1));
  return {};
}

template <auto kSmall, auto kExact>
BuiltinResult Arithmetic(Operands x) {
  TRY(TwoNumbers(x));
  if (x[0].is_small_int() && x[1].is_small_int()) {
    std::int64_t out = 0;
    if (!kSmall(x[0].small_int(), x[1].small_int(), &out)) return Value::Int(out);
  }
  return Value::Number(TRY(kExact(x[0].ToDecimal(), x[1].ToDecimal())));
}

BuiltinResult Plus(BuiltinContext&, Operands x) {
  return Arithmetic<[](std::int64_t a, std::int64_t b, std::int64_t* out) {
    return __builtin_add_overflow(a, b, out);
  },
                    &Decimal::Add>(x);
}

std::vector<Value> Union(Operands a, Operands b) {
  std::vector<Value> out;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

BuiltinResult Minus(BuiltinContext&, Operands x) {
  if (x[0].is_set() && x[1].is_set()) {
    const auto a = x[0].items();
    const auto b = x[1].items();
    std::vector<Value> out;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return Value::SortedSet(std::move(out));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (!x[i].is_number() && !x[i].is_set()) return OperandError(i + 1, "number, set", x[i]);
  }
  if (x[0].is_number() && !x[1].is_number()) return OperandError(2, "number", x[1]);
  if (x[0].is_set() && !x[1].is_set()) return OperandError(2, "set", x[1]);
  return Arithmetic<[](std::int64_t a, std::int64_t b, std::int64_t* out) {
    return __builtin_sub_overflow(a, b, out);
  },
                    &Decimal::Subtract>(x);
}

BuiltinResult Multiply(BuiltinContext&, Operands x) {
  return Arithmetic<[](std::int64_t a, std::int64_t b, std::int64_t* out) {
    return __builtin_mul_overflow(a, b, out);
  },
                    &Decimal::Multiply>(x);
}

BuiltinResult Divide(BuiltinContext&, Operands x) {
  TRY(TwoNumbers(x));
  const Decimal divisor = x[1].ToDecimal();
  if (divisor.is_zero()) return BuiltinError("divide by zero");
  return Value::Number(TRY(Decimal::Divide(x[0].ToDecimal(), divisor)));
}

BuiltinResult Remainder(BuiltinContext&, Operands x) {
  TRY(TwoNumbers(x));
  const auto a = x[0].ToDecimal().ToBigInt();
  const auto b = x[1].ToDecimal().ToBigInt();
  if (b && b->is_zero()) return BuiltinError("modulo by zero");
  if (!a || !b) return BuiltinError("modulo on floating-point number");
  BigInt out;
  BigInt::DivMod(*a, *b, nullptr, &out);
  return Value::Number(out);
}

template <typename Test>
BuiltinResult Compare(Operands x, Test test) {
  return Value::Bool(test(Value::Compare(x[0], x[1])));
}

BuiltinResult Equal(BuiltinContext&, Operands x) {
  return Value::Bool(x[0] == x[1]);
}
BuiltinResult NotEqual(BuiltinContext&, Operands x) {
  return Value::Bool(x[0] != x[1]);
}
BuiltinResult Less(BuiltinContext&, Operands x) {
  return Compare(x, [](int order) { return order < 0; });
}
BuiltinResult LessEqual(BuiltinContext&, Operands x) {
  return Compare(x, [](int order) { return order <= 0; });
}
BuiltinResult Greater(BuiltinContext&, Operands x) {
  return Compare(x, [](int order) { return order > 0; });
}
BuiltinResult GreaterEqual(BuiltinContext&, Operands x) {
  return Compare(x, [](int order) { return order >= 0; });
}

BuiltinResult And(BuiltinContext&, Operands x) {
  const auto a = TRY(SetOperand(x, 0));
  const auto b = TRY(SetOperand(x, 1));
  std::vector<Value> out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return Value::SortedSet(std::move(out));
}

BuiltinResult Or(BuiltinContext&, Operands x) {
  const auto a = TRY(SetOperand(x, 0));
  const auto b = TRY(SetOperand(x, 1));
  return Value::SortedSet(Union(a, b));
}

BuiltinResult MemberOf(BuiltinContext& context, Operands x) {
  const Value& collection = x[1];
  bool found = false;
  switch (collection.kind()) {
    case Kind::kArray: {
      TRY(context.Charge(collection.size() / 4));
      const auto items = collection.items();
      found = std::find(items.begin(), items.end(), x[0]) != items.end();
      break;
    }
    case Kind::kSet:
      found = collection.Contains(x[0]);
      break;
    case Kind::kObject: {
      TRY(context.Charge(collection.size() / 4));
      for (const Member& member : collection.members())
        found = found || member.value == x[0];
      break;
    }
    default:
      break;
  }
  return Value::Bool(found);
}

BuiltinResult MemberOfWithKey(BuiltinContext&, Operands x) {
  const Value& collection = x[2];
  if (!collection.is_array() && !collection.is_object() && !collection.is_set()) {
    return Value::Bool(false);
  }
  const Value* found = collection.Find(x[0]);
  return Value::Bool(found != nullptr && *found == x[1]);
}

// Characters of UTF-8, as Go counts runes: a byte that starts none is one.
std::size_t CountRunes(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text)
    count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80U ? 1 : 0;
  return count;
}

BuiltinResult Count(BuiltinContext&, Operands x) {
  switch (x[0].kind()) {
    case Kind::kArray:
    case Kind::kObject:
    case Kind::kSet:
      return Value::Int(static_cast<std::int64_t>(x[0].size()));
    case Kind::kString:
      return Value::Int(static_cast<std::int64_t>(CountRunes(x[0].string())));
    default:
      return OperandError(1, "array, object, set, string", x[0]);
  }
}

}  // namespace

std::span<const Builtin> OperatorBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"plus", 2, Plus},
      Builtin{"minus", 2, Minus},
      Builtin{"mul", 2, Multiply},
      Builtin{"div", 2, Divide},
      Builtin{"rem", 2, Remainder},
      Builtin{"equal", 2, Equal},
      Builtin{"neq", 2, NotEqual},
      Builtin{"lt", 2, Less},
      Builtin{"lte", 2, LessEqual},
      Builtin{"gt", 2, Greater},
      Builtin{"gte", 2, GreaterEqual},
      Builtin{"and", 2, And},
      Builtin{"or", 2, Or},
      Builtin{"internal.member_2", 2, MemberOf},
      Builtin{"internal.member_3", 3, MemberOfWithKey},
      Builtin{"count", 1, Count},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
