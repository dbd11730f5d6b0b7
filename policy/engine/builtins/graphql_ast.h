// SPDX-License-Identifier: Apache-2.0
// GraphQL documents as values in the shape that OPA gives them: objects with members Operations,
// Definitions, SelectionSet, ... Inside, each node has its "Position" too, which Prune removes.
// Specification: https://spec.graphql.org/October2021.
#pragma once

#include <string>
#include <string_view>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy {

constexpr std::size_t kMaxGraphqlDepth = 200;

// FailedPrecondition: "Expected Name, found } in GraphQL string at location 1:7".
Result<Value> ParseGraphqlQuery(BuiltinContext& context, std::string_view text);
Result<Value> ParseGraphqlSchema(BuiltinContext& context, std::string_view text);
Value PruneGraphql(const Value& node);
// A document from elsewhere (an object): lists hold objects, or strings where they are names.
// FailedPrecondition otherwise.
Result<void> CheckGraphqlShape(BuiltinContext& context, const Value& document);

// Kinds of values in a document, as numbered in "Kind".
enum GraphqlKind { kVariable, kInt, kFloat, kString, kBlock, kBool, kNull, kEnum, kList, kObject };

// Members of a node: absent ones are empty.
inline std::string_view NodeText(const Value& node, std::string_view key) {
  const Value* value = node.is_object() ? node.Find(key) : nullptr;
  return value != nullptr && value->is_string() ? value->string() : std::string_view();
}
inline std::span<const Value> NodeList(const Value& node, std::string_view key) {
  const Value* value = node.is_object() ? node.Find(key) : nullptr;
  return value != nullptr && value->is_array() ? value->items() : std::span<const Value>();
}
inline bool NodeFlag(const Value& node, std::string_view key) {
  const Value* value = node.is_object() ? node.Find(key) : nullptr;
  return value != nullptr && value->is_true();
}
inline const Value& NodeAt(const Value& node, std::string_view key) {
  static const Value null;
  const Value* value = node.is_object() ? node.Find(key) : nullptr;
  return value != nullptr ? *value : null;
}
// The item of a list whose "Name" is this.
inline const Value* NodeNamed(std::span<const Value> list, std::string_view name,
                              std::string_view key = "Name") {
  for (const Value& item : list) {
    if (NodeText(item, key) == name) return &item;
  }
  return nullptr;
}
// The name at the heart of a type, and its text ("[Int!]!").
std::string_view TypeName(const Value& type);
std::string TypeText(const Value& type);

// An error at the node: "... in GraphQL string at location 1:2".
Error GraphqlError(const Value& node, const std::string& text);

}  // namespace kata_cc::policy
