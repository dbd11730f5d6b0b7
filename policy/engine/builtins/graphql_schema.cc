// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/graphql_schema.h"

#include <algorithm>

namespace kata_cc::policy {
namespace {

// Types and directives that every schema has.
constexpr std::string_view kPrelude = R"(
scalar Int scalar Float scalar String scalar Boolean scalar ID
directive @include(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @skip(if: Boolean!) on FIELD | FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @deprecated(reason: String = "No longer supported")
  on FIELD_DEFINITION | ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION | ENUM_VALUE
directive @specifiedBy(url: String!) on SCALAR
directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
directive @oneOf on INPUT_OBJECT
type __Schema {
  description: String types: [__Type!]! queryType: __Type! mutationType: __Type
  subscriptionType: __Type directives: [__Directive!]!
}
type __Type {
  kind: __TypeKind! name: String description: String specifiedByURL: String isOneOf: Boolean
  fields(includeDeprecated: Boolean = false): [__Field!] interfaces: [__Type!]
  possibleTypes: [__Type!] enumValues(includeDeprecated: Boolean = false): [__EnumValue!]
  inputFields(includeDeprecated: Boolean = false): [__InputValue!] ofType: __Type
}
type __Field {
  name: String! description: String args(includeDeprecated: Boolean = false): [__InputValue!]!
  type: __Type! isDeprecated: Boolean! deprecationReason: String
}
type __InputValue {
  name: String! description: String type: __Type! defaultValue: String isDeprecated: Boolean!
  deprecationReason: String
}
type __EnumValue {
  name: String! description: String isDeprecated: Boolean! deprecationReason: String
}
enum __TypeKind { SCALAR OBJECT INTERFACE UNION ENUM INPUT_OBJECT LIST NON_NULL }
type __Directive {
  name: String! description: String locations: [__DirectiveLocation!]!
  args(includeDeprecated: Boolean = false): [__InputValue!]! isRepeatable: Boolean!
}
enum __DirectiveLocation {
  QUERY MUTATION SUBSCRIPTION FIELD FRAGMENT_DEFINITION FRAGMENT_SPREAD INLINE_FRAGMENT
  VARIABLE_DEFINITION SCHEMA SCALAR OBJECT FIELD_DEFINITION ARGUMENT_DEFINITION INTERFACE UNION
  ENUM ENUM_VALUE INPUT_OBJECT INPUT_FIELD_DEFINITION
}
type __Meta { __typename: String! __schema: __Schema! __type(name: String!): __Type }
)";

constexpr std::string_view kMergedParts[] = {"Directives", "Interfaces", "Fields", "Types",
                                             "EnumValues"};

// The definition with the extension's parts behind its own.
Value Merged(const Value& definition, const Value& extension) {
  std::vector<Member> members(definition.members().begin(), definition.members().end());
  for (std::string_view part : kMergedParts) {
    const auto more = NodeList(extension, part);
    if (more.empty()) continue;
    const auto own = NodeList(definition, part);
    std::vector<Value> items(own.begin(), own.end());
    items.insert(items.end(), more.begin(), more.end());
    members.push_back({Value::String(part), Value::Array(std::move(items))});
  }
  return Value::Object(std::move(members));
}

Value EmptyLike(const Value& extension) {
  std::vector<Member> members;
  for (std::string_view key : {"Kind", "Name", "Position"}) {
    if (const Value* value = extension.Find(key)) members.push_back({Value::String(key), *value});
  }
  return Value::Object(std::move(members));
}

bool IsBuiltinDirective(std::string_view name) {
  return name == "include" || name == "skip" || name == "deprecated" || name == "specifiedBy" ||
         name == "defer" || name == "oneOf";
}

}  // namespace

Result<GraphqlSchema> GraphqlSchema::Load(BuiltinContext& context, const Value& document) {
  GraphqlSchema schema;
  const Value prelude = TRY(ParseGraphqlSchema(context, kPrelude));
  TRY(schema.AddDefinitions(prelude, true));
  const Value meta = *schema.Type("__Meta");
  schema.types_.erase("__Meta");
  schema.typename_field_ = *NodeNamed(NodeList(meta, "Fields"), "__typename");
  schema.schema_field_ = *NodeNamed(NodeList(meta, "Fields"), "__schema");
  schema.type_field_ = *NodeNamed(NodeList(meta, "Fields"), "__type");
  TRY(schema.AddDefinitions(document, false));
  for (const auto& [name, type] : schema.types_) {
    const std::string_view kind = NodeText(type, "Kind");
    if (kind == "OBJECT") schema.possible_[name].insert(name);
    for (const Value& member : NodeList(type, "Types")) {
      if (member.is_string()) schema.possible_[name].insert(std::string(member.string()));
    }
    for (const Value& interface : NodeList(type, "Interfaces")) {
      if (interface.is_string() && kind == "OBJECT") {
        schema.possible_[std::string(interface.string())].insert(name);
      }
    }
  }
  TRY(schema.AddRoots(document));
  for (const auto& [name, type] : schema.types_) {
    TRY(context.Charge(4 + NodeList(type, "Fields").size() * 4));
    if (name.substr(0, 2) == "__" && NodeFlag(type, "BuiltIn")) continue;
    TRY(schema.CheckType(type));
  }
  for (const auto& [name, directive] : schema.directives_) {
    TRY(schema.CheckDirective(directive, name));
  }
  return schema;
}

Result<void> GraphqlSchema::AddDefinitions(const Value& document, bool builtin) {
  for (const Value& definition : NodeList(document, "Definitions")) {
    const std::string name(NodeText(definition, "Name"));
    if (types_.count(name) != 0) {
      return GraphqlError(definition, "Cannot redeclare type " + name + ".");
    }
    Value kept = definition;
    if (builtin) {
      std::vector<Member> members(kept.members().begin(), kept.members().end());
      members.push_back({Value::String("BuiltIn"), Value::Bool(true)});
      kept = Value::Object(std::move(members));
    }
    types_.emplace(name, std::move(kept));
  }
  for (const Value& extension : NodeList(document, "Extensions")) {
    const std::string name(NodeText(extension, "Name"));
    auto known = types_.find(name);
    if (known == types_.end()) known = types_.emplace(name, EmptyLike(extension)).first;
    if (NodeText(known->second, "Kind") != NodeText(extension, "Kind")) {
      return GraphqlError(extension, "Cannot extend type " + name + " because the base type is a " +
                                         std::string(NodeText(known->second, "Kind")) + ", not " +
                                         std::string(NodeText(extension, "Kind")) + ".");
    }
    known->second = Merged(known->second, extension);
  }
  for (const Value& directive : NodeList(document, "Directives")) {
    const std::string name(NodeText(directive, "Name"));
    if (directives_.count(name) != 0) {
      if (IsBuiltinDirective(name)) continue;
      return GraphqlError(directive, "Cannot redeclare directive " + name + ".");
    }
    directives_.emplace(name, directive);
  }
  return {};
}

Result<void> GraphqlSchema::AddRoots(const Value& document) {
  const auto schemas = NodeList(document, "Schema");
  if (schemas.size() > 1) {
    return GraphqlError(schemas[1],
                        "Cannot have multiple schema entry points, consider schema extensions "
                        "instead.");
  }
  for (std::string_view key : {"Schema", "SchemaExtension"}) {
    for (const Value& schema : NodeList(document, key)) {
      TRY(CheckDirectives(schema, "SCHEMA", ""));
      for (const Value& root : NodeList(schema, "OperationTypes")) {
        const std::string type(NodeText(root, "Type"));
        const std::string operation(NodeText(root, "Operation"));
        if (Type(type) == nullptr) {
          return GraphqlError(root, "Schema root " + operation + " refers to a type " + type +
                                        " that does not exist.");
        }
        roots_[operation] = type;
      }
    }
  }
  if (!schemas.empty()) return {};
  for (const auto& [operation, type] :
       {std::pair("query", "Query"), std::pair("mutation", "Mutation"),
        std::pair("subscription", "Subscription")}) {
    if (Type(type) != nullptr) roots_.emplace(operation, type);
  }
  return {};
}

const std::set<std::string, std::less<>>& GraphqlSchema::PossibleTypes(
    std::string_view name) const {
  static const std::set<std::string, std::less<>> none;
  const auto found = possible_.find(name);
  return found == possible_.end() ? none : found->second;
}

const Value* GraphqlSchema::Field(const Value& type, std::string_view name) const {
  if (name == "__typename" && IsCompositeKind(NodeText(type, "Kind"))) return &typename_field_;
  if (&type == Root("query")) {
    if (name == "__schema") return &schema_field_;
    if (name == "__type") return &type_field_;
  }
  return NodeNamed(NodeList(type, "Fields"), name);
}

}  // namespace kata_cc::policy
