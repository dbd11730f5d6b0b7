// SPDX-License-Identifier: Apache-2.0
// Documents that a policy gives as values may have any shape; the checks behind rely on this one.
#include <algorithm>

#include "policy/engine/builtins/graphql_ast.h"

namespace kata_cc::policy {
namespace {

Result<void> CheckNode(BuiltinContext& context, const Value& node, std::size_t depth);

Result<void> CheckList(BuiltinContext& context, std::string_view key, const Value& list,
                       std::size_t depth) {
  const auto items = list.items();
  TRY(context.Charge(items.size()));
  if (key == "Position") return {};
  if (key == "Interfaces" || key == "Types" || key == "Locations") {
    if (std::all_of(items.begin(), items.end(), [](const Value& item) { return item.is_string(); }))
      return {};
    return BuiltinError("GraphQL document: " + std::string(key) + " must be strings");
  }
  for (const Value& item : items) {
    if (!item.is_object()) {
      return BuiltinError("GraphQL document: " + std::string(key) + " must be objects");
    }
    TRY(CheckNode(context, item, depth + 1));
  }
  return {};
}

Result<void> CheckNode(BuiltinContext& context, const Value& node, std::size_t depth) {
  TRY(context.Charge(1 + node.size()));
  if (depth > kMaxGraphqlDepth * 4) {
    return Error(Code::kResourceExhausted, "GraphQL document nested too deep");
  }
  for (const Member& member : node.members()) {
    if (!member.key.is_string()) return BuiltinError("GraphQL document: keys must be strings");
    if (member.value.is_array()) {
      TRY(CheckList(context, member.key.string(), member.value, depth));
    } else if (member.value.is_object()) {
      TRY(CheckNode(context, member.value, depth + 1));
    }
  }
  return {};
}

}  // namespace

Result<void> CheckGraphqlShape(BuiltinContext& context, const Value& document) {
  return CheckNode(context, document, 0);
}

}  // namespace kata_cc::policy
