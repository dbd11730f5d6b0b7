// SPDX-License-Identifier: Apache-2.0
// Whether the types of a schema fit each other: chapter 3 of the specification.
#include <algorithm>
#include <map>

#include "policy/engine/builtins/graphql_schema.h"

namespace kata_cc::policy {
namespace {

Result<void> CheckName(const Value& node, std::string_view name) {
  if (name.substr(0, 2) != "__") return {};
  return GraphqlError(node, "Name \"" + std::string(name) +
                                "\" must not begin with \"__\", which is reserved by GraphQL "
                                "introspection.");
}

}  // namespace

Result<void> GraphqlSchema::CheckDirective(const Value& directive, std::string_view name) const {
  TRY(CheckName(directive, name));
  return CheckArguments(NodeList(directive, "Arguments"), name);
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
          type, std::string(kind) + " type \"" + std::string(member_name) + "\" must be OBJECT.");
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
    InputPath path;
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
    return GraphqlError(type, std::string(kind) + " " + name + ": must define one or more " +
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
      return GraphqlError(field, std::string(kind) + " " + name + ": field must be one of " +
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
                                        std::string(NodeText(*type, "Kind")) +
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
                                  std::string(NodeText(*interface, "Kind")) + ".");
  }
  const Error must = GraphqlError(type, "For " + type_name + " to implement " + std::string(name) +
                                            " its fields and arguments must fit.");
  std::map<std::string_view, const Value*> fields;
  for (const Value& field : NodeList(type, "Fields"))
    fields.emplace(NodeText(field, "Name"), &field);
  for (const Value& wanted : NodeList(*interface, "Fields")) {
    const auto found = fields.find(NodeText(wanted, "Name"));
    const Value* field = found != fields.end() ? found->second : nullptr;
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
Result<void> GraphqlSchema::CheckInputCycle(const Value& type, InputPath& path) const {
  const std::string name(NodeText(type, "Name"));
  if (path.done.count(name) != 0) return {};
  if (path.open.size() > kMaxGraphqlDepth || !path.open.insert(name).second) {
    return GraphqlError(type, "Cannot reference Input Object " + name +
                                  " within itself through a series of non-null fields.");
  }
  for (const Value& field : NodeList(type, "Fields")) {
    const Value& field_type = NodeAt(field, "Type");
    const Value* inner = Type(NodeText(field_type, "NamedType"));
    if (!NodeFlag(field_type, "NonNull") || inner == nullptr) continue;
    if (NodeText(*inner, "Kind") == "INPUT_OBJECT") TRY(CheckInputCycle(*inner, path));
  }
  path.open.erase(name);
  path.done.insert(name);
  return {};
}

}  // namespace kata_cc::policy
