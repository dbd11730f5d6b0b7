// SPDX-License-Identifier: Apache-2.0
// Objects: object.*.
#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

BuiltinResult ObjectGet(BuiltinContext&, Operands x) {
  const Value* object = TRY(ObjectOperand(x, 0));
  if (!x[1].is_array()) {
    const Value* found = object->Find(x[1]);
    return found != nullptr ? *found : x[2];
  }
  const Value* at = object;
  for (const Value& step : x[1].items()) {
    if (!at->is_object() && !at->is_array() && !at->is_set()) return x[2];
    at = at->Find(step);
    if (at == nullptr) return x[2];
  }
  return *at;
}

BuiltinResult ObjectKeys(BuiltinContext& context, Operands x) {
  const Value* object = TRY(ObjectOperand(x, 0));
  TRY(ChargeItems(context, object->size()));
  std::vector<Value> keys;
  for (const Member& member : object->members())
    keys.push_back(member.key);
  return Value::SortedSet(std::move(keys));
}

// The keys that operand 1 names, as a set.
Result<Value> KeysOperand(BuiltinContext& context, Operands x) {
  if (x[1].is_set()) return x[1];
  std::vector<Value> keys;
  if (x[1].is_array()) {
    keys.assign(x[1].items().begin(), x[1].items().end());
  } else if (x[1].is_object()) {
    for (const Member& member : x[1].members())
      keys.push_back(member.key);
  } else {
    return OperandError(2, "object, set, array", x[1]);
  }
  TRY(ChargeItems(context, keys.size()));
  return Value::Set(std::move(keys));
}

BuiltinResult SelectKeys(BuiltinContext& context, Operands x, bool keep) {
  const Value* object = TRY(ObjectOperand(x, 0));
  const Value keys = TRY(KeysOperand(context, x));
  TRY(ChargeItems(context, object->size()));
  std::vector<Member> members;
  for (const Member& member : object->members()) {
    if (keys.Contains(member.key) == keep) members.push_back(member);
  }
  return Value::SortedObject(std::move(members));
}

BuiltinResult ObjectFilter(BuiltinContext& context, Operands x) {
  return SelectKeys(context, x, true);
}

BuiltinResult ObjectRemove(BuiltinContext& context, Operands x) {
  return SelectKeys(context, x, false);
}

// b's members win, unless both sides are objects. Depth is that of the values, which is bounded.
Result<Value> Merge(BuiltinContext& context, const Value& a, const Value& b) {
  if (!a.is_object() || !b.is_object()) return b;
  TRY(context.Charge(a.size() + b.size(), (a.size() + b.size()) * sizeof(Member)));
  std::vector<Member> members;
  members.reserve(a.size() + b.size());
  const auto left = a.members();
  const auto right = b.members();
  for (std::size_t i = 0, k = 0; i < left.size() || k < right.size();) {
    const int order = i == left.size()    ? 1
                      : k == right.size() ? -1
                                          : Value::Compare(left[i].key, right[k].key);
    if (order < 0) {
      members.push_back(left[i++]);
    } else if (order > 0) {
      members.push_back(right[k++]);
    } else {
      Value merged = TRY(Merge(context, left[i].value, right[k].value));
      members.push_back({left[i].key, std::move(merged)});
      ++i;
      ++k;
    }
  }
  return Value::SortedObject(std::move(members));
}

BuiltinResult ObjectUnion(BuiltinContext& context, Operands x) {
  TRY(ObjectOperand(x, 0));
  TRY(ObjectOperand(x, 1));
  Value merged = TRY(Merge(context, x[0], x[1]));
  return merged;
}

BuiltinResult ObjectUnionN(BuiltinContext& context, Operands x) {
  const auto objects = TRY(ArrayOperand(x, 0));
  Value merged = Value::SortedObject({});
  for (const Value& object : objects) {
    if (!object.is_object()) return ElementError(1, x[0], object, "object");
    merged = TRY(Merge(context, merged, object));
  }
  return merged;
}

Result<bool> ArraySubset(BuiltinContext& context, Operands super, Operands sub) {
  if (sub.size() > super.size()) return false;
  TRY(context.Charge(super.size()));
  for (std::size_t start = 0; start + sub.size() <= super.size(); ++start) {
    std::size_t same = 0;
    while (same < sub.size() && super[start + same] == sub[same])
      ++same;
    if (same == sub.size()) return true;
    TRY(context.Charge(same));
  }
  return false;
}

Result<bool> Subset(BuiltinContext& context, const Value& super, const Value& sub) {
  if (super.kind() != sub.kind()) return false;
  switch (super.kind()) {
    case Kind::kObject:
      for (const Member& member : sub.members()) {
        TRY(context.Charge(1));
        const Value* other = super.Find(member.key);
        if (other == nullptr || !TRY(Subset(context, *other, member.value))) return false;
      }
      return true;
    case Kind::kSet:
      TRY(context.Charge(sub.size()));
      return std::includes(super.items().begin(), super.items().end(), sub.items().begin(),
                           sub.items().end());
    case Kind::kArray:
      return ArraySubset(context, super.items(), sub.items());
    default:
      return super == sub;
  }
}

BuiltinResult ObjectSubset(BuiltinContext& context, Operands x) {
  const bool composite = x[0].is_object() || x[0].is_set() || x[0].is_array();
  if (composite && x[0].kind() == x[1].kind()) {
    const bool subset = TRY(Subset(context, x[0], x[1]));
    return Value::Bool(subset);
  }
  if (x[0].is_array() && x[1].is_set()) {
    TRY(context.Charge(x[0].size() + x[1].size()));
    const Value elements = Value::Set({x[0].items().begin(), x[0].items().end()});
    const bool subset = TRY(Subset(context, elements, x[1]));
    return Value::Bool(subset);
  }
  return Error(Code::kInvalidArgument,
               "both arguments object.subset must be of the same type or array and set");
}

}  // namespace

std::span<const Builtin> ObjectBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"object.get", 3, ObjectGet},       Builtin{"object.keys", 1, ObjectKeys},
      Builtin{"object.filter", 2, ObjectFilter}, Builtin{"object.remove", 2, ObjectRemove},
      Builtin{"object.union", 2, ObjectUnion},   Builtin{"object.union_n", 1, ObjectUnionN},
      Builtin{"object.subset", 2, ObjectSubset},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
