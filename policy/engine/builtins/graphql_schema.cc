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

std::string Quoted(std::string_view text) {
  return std::string(text);
}

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

Result<void> CheckName(const Value& node, std::string_view name) {
  if (name.substr(0, 2) != "__") return {};
  return GraphqlError(node, "Name \"" + std::string(name) +
                                "\" must not begin with \"__\", which is reserved by GraphQL "
                                "introspection.");
}

// A value from elsewhere may have any shape: what is a list must be one of objects.
Result<void> CheckShape(BuiltinContext& context, const Value& node, std::size_t depth) {
  TRY(context.Charge(1));
  if (depth > kMaxGraphqlDepth * 4) {
    return Error(Code::kResourceExhausted, "GraphQL document nested too deep");
  }
  if (node.is_object()) {
    for (const Member& member : node.members())
      TRY(CheckShape(context, member.value, depth + 1));
  } else if (node.is_array()) {
    for (const Value& item : node.items())
      TRY(CheckShape(context, item, depth + 1));
  }
  return {};
}

}  // namespace

Result<GraphqlSchema> GraphqlSchema::Load(BuiltinContext& context, const Value& document) {
  GraphqlSchema schema;
  TRY(CheckShape(context, document, 0));
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
    TRY(CheckName(directive, name));
    TRY(schema.CheckArguments(NodeList(directive, "Arguments"), name));
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
                                         Quoted(NodeText(known->second, "Kind")) + ", not " +
                                         Quoted(NodeText(extension, "Kind")) + ".");
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

Result<void> GraphqlSchema::CheckType(const Value& type) const {
  const std::string name(NodeText(type, "Name"));
  const std::string_view kind = NodeText(type, "Kind");
  TRY(CheckFields(type));
  for (const Value& member : NodeList(type, "Types")) {
    const std::string_view member_name = member.is_string() ? member.string() : "";
    const Value* definition = Type(member_name);
    if (definition == nullptr) {
      return GraphqlError(type, "Undefined type \"" + std::string(member_name) + "\".");
    }
    if (NodeText(*definition, "Kind") != "OBJECT") {
      return GraphqlError(
          type, Quoted(kind) + " type \"" + std::string(member_name) + "\" must be OBJECT.");
    }
  }
  for (const Value& interface : NodeList(type, "Interfaces")) {
    TRY(CheckImplements(type, interface.is_string() ? interface.string() : ""));
  }
  const auto values = NodeList(type, "EnumValues");
  if (kind == "ENUM" && values.empty()) {
    return GraphqlError(type, "ENUM " + name + ": must define one or more unique enum values.");
  }
  std::set<std::string_view> seen;
  for (const Value& value : values) {
    const std::string_view word = NodeText(value, "Name");
    if (word == "true" || word == "false" || word == "null") {
      return GraphqlError(type, "ENUM " + name + ": non-enum value " + std::string(word) + ".");
    }
    if (!seen.insert(word).second) {
      return GraphqlError(
          value, "Enum value " + name + "." + std::string(word) + " can only be defined once.");
    }
    TRY(CheckDirectives(value, "ENUM_VALUE", ""));
  }
  if (!NodeFlag(type, "BuiltIn")) TRY(CheckName(type, name));
  if (kind == "INPUT_OBJECT") {
    std::set<std::string> path;
    TRY(CheckInputCycle(type, path));
  }
  return CheckDirectives(type, kind, "");
}

Result<void> GraphqlSchema::CheckFields(const Value& type) const {
  const std::string name(NodeText(type, "Name"));
  const std::string_view kind = NodeText(type, "Kind");
  const bool input = kind == "INPUT_OBJECT";
  const auto fields = NodeList(type, "Fields");
  if (fields.empty() && (input || kind == "OBJECT" || kind == "INTERFACE")) {
    return GraphqlError(type, Quoted(kind) + " " + name + ": must define one or more " +
                                  (input ? "input fields." : "fields."));
  }
  std::set<std::string_view> seen;
  for (const Value& field : fields) {
    const std::string_view field_name = NodeText(field, "Name");
    TRY(CheckName(field, field_name));
    const std::string_view result = TypeName(NodeAt(field, "Type"));
    const Value* result_type = Type(result);
    if (result_type == nullptr) {
      return GraphqlError(NodeAt(field, "Type"), "Undefined type " + std::string(result) + ".");
    }
    const std::string_view result_kind = NodeText(*result_type, "Kind");
    if (input ? !IsInputKind(result_kind) : result_kind == "INPUT_OBJECT") {
      return GraphqlError(field, Quoted(kind) + " " + name + ": field must be one of " +
                                     (input ? "SCALAR, ENUM, INPUT_OBJECT."
                                            : "SCALAR, OBJECT, INTERFACE, UNION, ENUM."));
    }
    TRY(CheckArguments(NodeList(field, "Arguments"), ""));
    TRY(CheckDirectives(field, input ? "INPUT_FIELD_DEFINITION" : "FIELD_DEFINITION", ""));
    if (!seen.insert(field_name).second) {
      return GraphqlError(
          field, "Field " + name + "." + std::string(field_name) + " can only be defined once.");
    }
  }
  return {};
}

Result<void> GraphqlSchema::CheckArguments(std::span<const Value> arguments,
                                           std::string_view inside) const {
  for (const Value& argument : arguments) {
    const std::string_view name = NodeText(argument, "Name");
    TRY(CheckName(argument, name));
    const std::string_view type_name = TypeName(NodeAt(argument, "Type"));
    const Value* type = Type(type_name);
    if (type == nullptr) {
      return GraphqlError(NodeAt(argument, "Type"),
                          "Undefined type " + std::string(type_name) + ".");
    }
    if (!IsInputKind(NodeText(*type, "Kind"))) {
      return GraphqlError(argument, "cannot use " + std::string(type_name) + " as argument " +
                                        std::string(name) + " because " +
                                        Quoted(NodeText(*type, "Kind")) +
                                        " is not a valid input type");
    }
    TRY(CheckDirectives(argument, "ARGUMENT_DEFINITION", inside));
  }
  return {};
}

Result<void> GraphqlSchema::CheckDirectives(const Value& node, std::string_view location,
                                            std::string_view inside) const {
  for (const Value& use : NodeList(node, "Directives")) {
    const std::string name(NodeText(use, "Name"));
    TRY(CheckName(use, name));
    if (!inside.empty() && name == inside) {
      return GraphqlError(use, "Directive " + name + " cannot refer to itself.");
    }
    const Value* definition = Directive(name);
    if (definition == nullptr) return GraphqlError(use, "Undefined directive " + name + ".");
    const auto locations = NodeList(*definition, "Locations");
    if (std::find(locations.begin(), locations.end(), Value::String(location)) == locations.end()) {
      return GraphqlError(
          use, "Directive " + name + " is not applicable on " + std::string(location) + ".");
    }
    const auto given = NodeList(use, "Arguments");
    const auto known = NodeList(*definition, "Arguments");
    for (const Value& argument : given) {
      if (NodeNamed(known, NodeText(argument, "Name")) == nullptr) {
        return GraphqlError(argument, "Undefined argument " +
                                          std::string(NodeText(argument, "Name")) +
                                          " for directive " + name + ".");
      }
    }
    for (const Value& argument : known) {
      if (IsRequired(argument) && NodeNamed(given, NodeText(argument, "Name")) == nullptr) {
        return GraphqlError(use, "Argument " + std::string(NodeText(argument, "Name")) +
                                     " for directive " + name + " cannot be null.");
      }
    }
  }
  return {};
}

bool GraphqlSchema::Covariant(const Value& required, const Value& actual) const {
  if (NodeFlag(required, "NonNull") && !NodeFlag(actual, "NonNull")) return false;
  const std::string_view wanted = NodeText(required, "NamedType");
  const std::string_view given = NodeText(actual, "NamedType");
  if (!wanted.empty()) {
    if (wanted == given) return true;
    return !given.empty() && PossibleTypes(wanted).count(given) != 0;
  }
  const Value& inner = NodeAt(required, "Elem");
  const Value& actual_inner = NodeAt(actual, "Elem");
  return inner.is_object() && actual_inner.is_object() && Covariant(inner, actual_inner);
}

Result<void> GraphqlSchema::CheckImplements(const Value& type, std::string_view name) const {
  const std::string type_name(NodeText(type, "Name"));
  const Value* interface = Type(name);
  if (interface == nullptr) {
    return GraphqlError(type, "Undefined type \"" + std::string(name) + "\".");
  }
  if (NodeText(*interface, "Kind") != "INTERFACE") {
    return GraphqlError(type, std::string(name) + " is a non interface type " +
                                  Quoted(NodeText(*interface, "Kind")) + ".");
  }
  const Error must = GraphqlError(type, "For " + type_name + " to implement " + std::string(name) +
                                            " its fields and arguments must fit.");
  for (const Value& wanted : NodeList(*interface, "Fields")) {
    const Value* field = NodeNamed(NodeList(type, "Fields"), NodeText(wanted, "Name"));
    if (field == nullptr) {
      return GraphqlError(type, "For " + type_name + " to implement " + std::string(name) +
                                    " it must have a field called " +
                                    std::string(NodeText(wanted, "Name")) + ".");
    }
    if (!Covariant(NodeAt(wanted, "Type"), NodeAt(*field, "Type"))) return must;
    const auto wanted_arguments = NodeList(wanted, "Arguments");
    const auto arguments = NodeList(*field, "Arguments");
    for (const Value& argument : wanted_arguments) {
      const Value* own = NodeNamed(arguments, NodeText(argument, "Name"));
      const bool same =
          own != nullptr && TypeText(NodeAt(argument, "Type")) == TypeText(NodeAt(*own, "Type"));
      if (!same) return must;
    }
    for (const Value& argument : arguments) {
      if (IsRequired(argument) &&
          NodeNamed(wanted_arguments, NodeText(argument, "Name")) == nullptr) {
        return must;
      }
    }
  }
  const auto own = NodeList(type, "Interfaces");
  for (const Value& ancestor : NodeList(*interface, "Interfaces")) {
    if (std::find(own.begin(), own.end(), ancestor) != own.end()) continue;
    return GraphqlError(type, "Type " + type_name + " must implement " + ToTermText(ancestor) +
                                  " because it is implemented by " + std::string(name) + ".");
  }
  return {};
}

// An input that needs itself can have no value.
Result<void> GraphqlSchema::CheckInputCycle(const Value& type, std::set<std::string>& path) const {
  const std::string name(NodeText(type, "Name"));
  if (path.size() > kMaxGraphqlDepth || !path.insert(name).second) {
    return GraphqlError(type, "Cannot reference Input Object " + name +
                                  " within itself through a series of non-null fields.");
  }
  for (const Value& field : NodeList(type, "Fields")) {
    const Value& field_type = NodeAt(field, "Type");
    const Value* inner = Type(NodeText(field_type, "NamedType"));
    if (!NodeFlag(field_type, "NonNull") || inner == nullptr) continue;
    if (NodeText(*inner, "Kind") == "INPUT_OBJECT") TRY(CheckInputCycle(*inner, path));
  }
  path.erase(name);
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
