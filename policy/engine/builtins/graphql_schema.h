// SPDX-License-Identifier: Apache-2.0
// A valid GraphQL schema: types with their extensions merged, directives, possible types.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/builtins/graphql_ast.h"

namespace kata_cc::policy {

class GraphqlSchema {
 public:
  // Checks the document and merges it with the built-in types; FailedPrecondition says what is
  // wrong. The document may come from ParseGraphqlSchema or be such a value from elsewhere.
  static Result<GraphqlSchema> Load(BuiltinContext& context, const Value& document);

  const Value* Type(std::string_view name) const { return Get(types_, name); }
  const Value* Directive(std::string_view name) const { return Get(directives_, name); }
  // The root type of "query", "mutation" or "subscription".
  const Value* Root(std::string_view operation) const {
    const auto name = roots_.find(operation);
    return name == roots_.end() ? nullptr : Type(name->second);
  }
  // Object types that a value of the type may have.
  const std::set<std::string, std::less<>>& PossibleTypes(std::string_view name) const;
  // The field of a type, with __typename, __schema and __type where they are.
  const Value* Field(const Value& type, std::string_view name) const;

 private:
  using Map = std::map<std::string, Value, std::less<>>;
  static const Value* Get(const Map& map, std::string_view name) {
    const auto found = map.find(name);
    return found == map.end() ? nullptr : &found->second;
  }
  Result<void> AddDefinitions(const Value& document, bool builtin);
  Result<void> AddRoots(const Value& document);
  Result<void> CheckType(const Value& type) const;
  Result<void> CheckDirective(const Value& directive, std::string_view name) const;
  Result<void> CheckFields(const Value& type) const;
  Result<void> CheckArguments(std::span<const Value> arguments, std::string_view inside) const;
  Result<void> CheckDirectives(const Value& node, std::string_view location,
                               std::string_view inside) const;
  Result<void> CheckImplements(const Value& type, std::string_view name) const;
  // Input objects on the way to here, and those known to be free of cycles.
  struct InputPath {
    std::set<std::string> open, done;
  };
  Result<void> CheckInputCycle(const Value& type, InputPath& path) const;
  bool Covariant(const Value& required, const Value& actual) const;

  Map types_, directives_;
  std::map<std::string, std::string, std::less<>> roots_;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> possible_;
  Value typename_field_, schema_field_, type_field_;
};

inline bool IsInputKind(std::string_view kind) {
  return kind == "SCALAR" || kind == "ENUM" || kind == "INPUT_OBJECT";
}
inline bool IsCompositeKind(std::string_view kind) {
  return kind == "OBJECT" || kind == "INTERFACE" || kind == "UNION";
}
inline bool IsRequired(const Value& argument) {
  return NodeFlag(NodeAt(argument, "Type"), "NonNull") &&
         NodeAt(argument, "DefaultValue").is_null();
}

// The rules of the specification's chapter 5; FailedPrecondition is the first that is broken.
Result<void> CheckGraphqlQuery(BuiltinContext& context, const Value& query,
                               const GraphqlSchema& schema);

}  // namespace kata_cc::policy
