// SPDX-License-Identifier: Apache-2.0
// Aggregates and arrays: sum, product, max, min, sort, all, any, array.*.
#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

using Fold = Result<Decimal> (*)(const Decimal&, const Decimal&);

BuiltinResult FoldNumbers(BuiltinContext& context, Operands x, Fold fold, std::int64_t start) {
  const auto items = TRY(SetOrArrayOperand(x, 0));
  Decimal total(start);
  for (const Value& item : items) {
    if (!item.is_number()) return ElementError(1, x[0], item, "number");
    total = TRY(fold(total, item.ToDecimal()));
    TRY(context.Charge(1 + total.mantissa().bits() / 64));
  }
  return Value::Number(total);
}

BuiltinResult Sum(BuiltinContext& context, Operands x) {
  return FoldNumbers(context, x, &Decimal::Add, 0);
}

BuiltinResult Product(BuiltinContext& context, Operands x) {
  return FoldNumbers(context, x, &Decimal::Multiply, 1);
}

BuiltinResult Max(BuiltinContext& context, Operands x) {
  const auto items = TRY(SetOrArrayOperand(x, 0));
  if (items.empty()) return std::nullopt;
  if (x[0].is_set()) return items.back();
  TRY(context.Charge(x[0].weight()));
  return *std::max_element(items.begin(), items.end());
}

BuiltinResult Min(BuiltinContext& context, Operands x) {
  const auto items = TRY(SetOrArrayOperand(x, 0));
  if (items.empty()) return std::nullopt;
  if (x[0].is_set()) return items.front();
  TRY(context.Charge(x[0].weight()));
  return *std::min_element(items.begin(), items.end());
}

BuiltinResult Sort(BuiltinContext& context, Operands x) {
  const auto items = TRY(SetOrArrayOperand(x, 0));
  TRY(context.Charge(items.size() * 8 + x[0].weight(), items.size() * sizeof(Value)));
  std::vector<Value> sorted(items.begin(), items.end());
  std::stable_sort(sorted.begin(), sorted.end());
  return Value::Array(std::move(sorted));
}

BuiltinResult All(BuiltinContext&, Operands x) {
  const auto items = TRY(SetOrArrayOperand(x, 0));
  return Value::Bool(
      std::all_of(items.begin(), items.end(), [](const Value& item) { return item.is_true(); }));
}

BuiltinResult Any(BuiltinContext&, Operands x) {
  const auto items = TRY(SetOrArrayOperand(x, 0));
  return Value::Bool(
      std::any_of(items.begin(), items.end(), [](const Value& item) { return item.is_true(); }));
}

BuiltinResult ArrayConcat(BuiltinContext& context, Operands x) {
  const auto a = TRY(ArrayOperand(x, 0));
  const auto b = TRY(ArrayOperand(x, 1));
  TRY(ChargeItems(context, a.size() + b.size()));
  std::vector<Value> out(a.begin(), a.end());
  out.insert(out.end(), b.begin(), b.end());
  return Value::Array(std::move(out));
}

BuiltinResult ArrayFlatten(BuiltinContext& context, Operands x) {
  const auto items = TRY(ArrayOperand(x, 0));
  std::vector<Value> out;
  for (const Value& item : items) {
    if (!item.is_array()) {
      out.push_back(item);
      continue;
    }
    TRY(ChargeItems(context, item.size()));
    out.insert(out.end(), item.items().begin(), item.items().end());
  }
  return Value::Array(std::move(out));
}

BuiltinResult ArrayReverse(BuiltinContext& context, Operands x) {
  const auto items = TRY(ArrayOperand(x, 0));
  TRY(ChargeItems(context, items.size()));
  return Value::Array(std::vector<Value>(items.rbegin(), items.rend()));
}

BuiltinResult ArraySlice(BuiltinContext& context, Operands x) {
  const auto items = TRY(ArrayOperand(x, 0));
  const auto size = static_cast<std::int64_t>(items.size());
  const std::int64_t start = std::clamp<std::int64_t>(TRY(IntegerOperand(x, 1)), 0, size);
  const std::int64_t stop = std::clamp<std::int64_t>(TRY(IntegerOperand(x, 2)), start, size);
  TRY(ChargeItems(context, static_cast<std::uint64_t>(stop - start)));
  return Value::Array(
      items.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(stop - start)));
}

}  // namespace

std::span<const Builtin> AggregateBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"sum", 1, Sum},
      Builtin{"product", 1, Product},
      Builtin{"max", 1, Max},
      Builtin{"min", 1, Min},
      Builtin{"sort", 1, Sort},
      Builtin{"all", 1, All},
      Builtin{"any", 1, Any},
      Builtin{"array.concat", 2, ArrayConcat},
      Builtin{"array.flatten", 1, ArrayFlatten},
      Builtin{"array.reverse", 1, ArrayReverse},
      Builtin{"array.slice", 3, ArraySlice},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
