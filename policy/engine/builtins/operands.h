// SPDX-License-Identifier: Apache-2.0
// Operand checks and charges that several families share, beyond those of builtin.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

using Operands = std::span<const Value>;

inline constexpr std::uint64_t kBytesPerStep = 16;

// For reading or writing this many bytes; the second form for bytes that are allocated too.
inline Result<void> ChargeScan(BuiltinContext& context, std::uint64_t bytes) {
  return context.Charge(bytes / kBytesPerStep);
}
inline Result<void> ChargeBytes(BuiltinContext& context, std::uint64_t bytes) {
  return context.Charge(bytes / kBytesPerStep, bytes);
}
inline Result<void> ChargeItems(BuiltinContext& context, std::uint64_t items) {
  return context.Charge(items, items * sizeof(Value));
}

// "operand 1 must be array of strings but got array containing number"
inline Error ElementError(std::size_t position, const Value& collection, const Value& element,
                          std::string_view wanted) {
  std::string kind(KindName(collection.kind()));
  return OperandError(position, "must be " + kind + " of " + std::string(wanted) + "s but got " +
                                    kind + " containing " + std::string(KindName(element.kind())));
}

// A set or an array, the error in OPA's order.
inline Result<Operands> SetOrArrayOperand(Operands x, std::size_t i) {
  if (!x[i].is_array() && !x[i].is_set()) return OperandError(i + 1, "set, array", x[i]);
  return x[i].items();
}

// The member of an options object with this key, as a string.
inline std::string_view StringMember(const Value& object, std::string_view key) {
  const Value* value = object.Find(key);
  return value != nullptr && value->is_string() ? value->string() : std::string_view();
}

inline Value StringArray(const std::vector<std::string_view>& parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (std::string_view part : parts)
    items.push_back(Value::String(part));
  return Value::Array(std::move(items));
}

}  // namespace kata_cc::policy
