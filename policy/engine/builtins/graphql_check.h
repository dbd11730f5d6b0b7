// SPDX-License-Identifier: Apache-2.0
// Parts of the check of a GraphQL query: what they share, values, and merging of fields.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "policy/engine/builtins/graphql_schema.h"

namespace kata_cc::policy {

struct GraphqlCheck {
  GraphqlCheck(BuiltinContext& lent, const Value& document, const GraphqlSchema& types);

  // Only the first failure counts; once there is one, the parts may end early.
  void Fail(const Value& node, const std::string& text) {
    if (!error) error = GraphqlError(node, text);
  }
  // Fails if two items of the list have the same name.
  void CheckUnique(std::span<const Value> list, std::string_view key, const std::string& before,
                   const std::string& after);
  const Value* Fragment(std::string_view name) const;

  BuiltinContext& context;
  const Value& query;
  const GraphqlSchema& schema;
  std::map<std::string_view, const Value*> fragments;
  std::optional<Error> error;
};

// The variables of an operation while its selections are walked.
struct GraphqlScope {
  std::map<std::string_view, const Value*> variables;
  std::set<std::string, std::less<>> used;
  std::set<std::string, std::less<>> fragments;  // Entered already.
};

// Arguments and other values against their types.
class GraphqlValues {
 public:
  explicit GraphqlValues(GraphqlCheck& check) : check_(check) {}

  // The arguments of a field or directive; `where` and `owner` are for messages. Without a scope
  // variables are not looked up.
  Result<void> CheckArguments(const Value& node, std::span<const Value> known,
                              const std::string& where, const std::string& owner,
                              GraphqlScope* scope);
  Result<void> CheckValue(const Value& value, const Value& type, bool has_default,
                          GraphqlScope* scope);

 private:
  Result<void> CheckValueHere(const Value& value, const Value& type, bool has_default,
                              GraphqlScope* scope);
  void MarkVariables(const Value& value, GraphqlScope& scope);
  const Value* UseVariable(const Value& value, GraphqlScope& scope);
  void CheckVariableUse(const Value& value, const Value& type, bool has_default,
                        GraphqlScope& scope);
  void CheckEnum(const Value& value, const Value& type, const Value& definition);
  void CheckScalar(const Value& value, const Value& definition);
  Result<void> CheckInput(const Value& value, const Value& type, const Value& definition,
                          GraphqlScope* scope);

  GraphqlCheck& check_;
  std::size_t depth_ = 0;
};

// Fields of one response name below the node must be the same field.
Result<void> CheckGraphqlMerge(GraphqlCheck& check, const Value& node, const Value* type);

inline std::string GraphqlQuote(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}
// An inline fragment has a TypeCondition, a spread a Name only, a field an Alias.
inline bool IsGraphqlField(const Value& selection) {
  return !NodeAt(selection, "Alias").is_null();
}
inline bool IsGraphqlInline(const Value& selection) {
  return !NodeAt(selection, "TypeCondition").is_null();
}
// A GraphqlKind, or -1.
inline int GraphqlKindOf(const Value& value) {
  const Value& kind = NodeAt(value, "Kind");
  return kind.is_number() ? static_cast<int>(kind.ToInt64().value_or(-1)) : -1;
}
// The value as messages show it.
std::string GraphqlShown(const Value& value);

}  // namespace kata_cc::policy
