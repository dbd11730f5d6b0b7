// SPDX-License-Identifier: Apache-2.0
// Sets of sets: union, intersection; and set_diff of old policies.
#include <algorithm>
#include <array>
#include <iterator>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

Result<Operands> SetOfSets(Operands x) {
  const auto sets = TRY(SetOperand(x, 0));
  for (const Value& set : sets) {
    if (!set.is_set()) return ElementError(1, x[0], set, "set");
  }
  return sets;
}

BuiltinResult UnionOfAll(BuiltinContext& context, Operands x) {
  const auto sets = TRY(SetOfSets(x));
  std::vector<Value> all;
  for (const Value& set : sets) {
    TRY(ChargeItems(context, set.size()));
    all.insert(all.end(), set.items().begin(), set.items().end());
  }
  return Value::Set(std::move(all));
}

BuiltinResult IntersectionOfAll(BuiltinContext& context, Operands x) {
  const auto sets = TRY(SetOfSets(x));
  std::vector<Value> common;
  if (!sets.empty()) common.assign(sets[0].items().begin(), sets[0].items().end());
  for (const Value& set : sets) {
    TRY(context.Charge(common.size() + set.size()));
    std::vector<Value> kept;
    std::set_intersection(common.begin(), common.end(), set.items().begin(), set.items().end(),
                          std::back_inserter(kept));
    common = std::move(kept);
  }
  return Value::SortedSet(std::move(common));
}

BuiltinResult Difference(BuiltinContext&, Operands x) {
  const auto a = TRY(SetOperand(x, 0));
  const auto b = TRY(SetOperand(x, 1));
  std::vector<Value> out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return Value::SortedSet(std::move(out));
}

}  // namespace

std::span<const Builtin> SetBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"union", 1, UnionOfAll},
      Builtin{"intersection", 1, IntersectionOfAll},
      Builtin{"set_diff", 2, Difference},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
