// SPDX-License-Identifier: Apache-2.0
// Values in a query against the types of the schema.
#include "policy/engine/builtins/graphql_check.h"

namespace kata_cc::policy {
namespace {

// Whether a variable of this type may stand where `wanted` is expected.
bool Compatible(const Value& given, const Value& wanted) {
  if (NodeFlag(wanted, "NonNull") && !NodeFlag(given, "NonNull")) return false;
  const Value& a = NodeAt(given, "Elem");
  const Value& b = NodeAt(wanted, "Elem");
  if (a.is_object() != b.is_object()) return false;
  if (a.is_object()) return Compatible(a, b);
  return NodeText(given, "NamedType") == NodeText(wanted, "NamedType");
}

}  // namespace

Result<void> GraphqlValues::CheckArguments(const Value& node, std::span<const Value> known,
                                           const std::string& where, const std::string& owner,
                                           GraphqlScope* scope) {
  const auto given = NodeList(node, "Arguments");
  TRY(check_.context.Charge((given.size() + 1) * (known.size() + 1) / 8));
  check_.CheckUnique(given, "Name", "There can be only one argument named \"", "\"");
  for (const Value& argument : given) {
    const std::string_view name = NodeText(argument, "Name");
    const Value* definition = NodeNamed(known, name);
    if (definition == nullptr) {
      check_.Fail(node, "Unknown argument " + GraphqlQuote(name) + where);
      if (scope != nullptr) MarkVariables(NodeAt(argument, "Value"), *scope);
      continue;
    }
    TRY(CheckValue(NodeAt(argument, "Value"), NodeAt(*definition, "Type"),
                   !NodeAt(*definition, "DefaultValue").is_null(), scope));
  }
  for (const Value& definition : known) {
    if (!IsRequired(definition)) continue;
    if (NodeNamed(given, NodeText(definition, "Name")) != nullptr) continue;
    check_.Fail(node, owner + " argument " + GraphqlQuote(NodeText(definition, "Name")) +
                          " of type " + GraphqlQuote(TypeText(NodeAt(definition, "Type"))) +
                          " is required, but it was not provided");
  }
  return {};
}

void GraphqlValues::MarkVariables(const Value& value, GraphqlScope& scope) {
  if (GraphqlKindOf(value) == kVariable) UseVariable(value, scope);
  for (const Value& child : NodeList(value, "Children")) {
    MarkVariables(NodeAt(child, "Value"), scope);
  }
}

const Value* GraphqlValues::UseVariable(const Value& value, GraphqlScope& scope) {
  const std::string name(NodeText(value, "Raw"));
  const auto found = scope.variables.find(name);
  const Value* definition = found != scope.variables.end() ? found->second : nullptr;
  if (definition == nullptr) check_.Fail(value, "Variable \"$" + name + "\" is not defined");
  scope.used.insert(name);
  return definition;
}

void GraphqlValues::CheckVariableUse(const Value& value, const Value& type, bool has_default,
                                     GraphqlScope& scope) {
  const Value* definition = UseVariable(value, scope);
  if (definition == nullptr) return;
  const Value& given = NodeAt(*definition, "Type");
  const Value& own_default = NodeAt(*definition, "DefaultValue");
  const bool defaulted =
      has_default || (!own_default.is_null() && GraphqlKindOf(own_default) != kNull);
  const auto nullable = [](const Value& from) -> Value {
    if (!from.is_object()) return from;
    std::vector<Member> members(from.members().begin(), from.members().end());
    members.push_back({Value::String("NonNull"), Value::Bool(false)});
    return Value::Object(std::move(members));
  };
  if (Compatible(given, defaulted ? nullable(type) : type)) return;
  check_.Fail(value, "Variable \"$" + std::string(NodeText(value, "Raw")) + "\" of type " +
                         GraphqlQuote(TypeText(given)) + " used in position expecting type " +
                         GraphqlQuote(TypeText(type)));
}

Result<void> GraphqlValues::CheckValue(const Value& value, const Value& type, bool has_default,
                                       GraphqlScope* scope) {
  TRY(check_.context.Charge(4));
  if (check_.error) return {};
  if (++depth_ > 2 * kMaxGraphqlDepth) {
    return Error(Code::kResourceExhausted, "GraphQL value nested too deep");
  }
  TRY(CheckValueHere(value, type, has_default, scope));
  --depth_;
  return {};
}

Result<void> GraphqlValues::CheckValueHere(const Value& value, const Value& type, bool has_default,
                                           GraphqlScope* scope) {
  const int kind = GraphqlKindOf(value);
  if (kind == kVariable) {
    if (scope != nullptr) CheckVariableUse(value, type, has_default, *scope);
    return {};
  }
  if (kind == kNull) {
    if (NodeFlag(type, "NonNull")) {
      check_.Fail(value, "Expected value of type " + GraphqlQuote(TypeText(type)) + ", found null");
    }
    return {};
  }
  if (const Value& inner = NodeAt(type, "Elem"); inner.is_object()) {
    if (kind != kList) return CheckValue(value, inner, false, scope);
    for (const Value& child : NodeList(value, "Children")) {
      TRY(CheckValue(NodeAt(child, "Value"), inner, false, scope));
    }
    return {};
  }
  const Value* definition = check_.schema.Type(NodeText(type, "NamedType"));
  if (definition == nullptr) return {};
  const std::string_view type_kind = NodeText(*definition, "Kind");
  if (type_kind == "INPUT_OBJECT") return CheckInput(value, type, *definition, scope);
  if (type_kind == "ENUM") {
    TRY(check_.context.Charge(NodeList(*definition, "EnumValues").size() / 8));
    CheckEnum(value, type, *definition);
  } else {
    CheckScalar(value, *definition);
    if (scope != nullptr) MarkVariables(value, *scope);
  }
  return {};
}

void GraphqlValues::CheckEnum(const Value& value, const Value& type, const Value& definition) {
  const std::string_view raw = NodeText(value, "Raw");
  const std::string_view name = NodeText(type, "NamedType");
  if (GraphqlKindOf(value) != kEnum) {
    check_.Fail(value, "Enum " + GraphqlQuote(name) +
                           " cannot represent non-enum value: " + GraphqlShown(value) + ".");
  } else if (NodeNamed(NodeList(definition, "EnumValues"), raw) == nullptr) {
    check_.Fail(value, "Value " + GraphqlQuote(raw) + " does not exist in " + GraphqlQuote(name) +
                           " enum.");
  }
}

void GraphqlValues::CheckScalar(const Value& value, const Value& definition) {
  const int kind = GraphqlKindOf(value);
  const std::string_view name = NodeText(definition, "Name");
  const auto cannot = [&](const std::string& what) {
    check_.Fail(value,
                std::string(name) + " cannot represent " + what + ": " + GraphqlShown(value));
  };
  if (!IsInputKind(NodeText(definition, "Kind"))) return;
  if (name == "Int") {
    if (kind != kInt) cannot("non-integer value");
  } else if (name == "Float") {
    if (kind != kInt && kind != kFloat) cannot("non numeric value");
  } else if (name == "String") {
    if (kind != kString && kind != kBlock) cannot("a non string value");
  } else if (name == "Boolean") {
    if (kind != kBool) cannot("a non boolean value");
  } else if (name == "ID") {
    if (kind != kInt && kind != kString && kind != kBlock) {
      cannot("a non-string and non-integer value");
    }
  }
}

Result<void> GraphqlValues::CheckInput(const Value& value, const Value& type,
                                       const Value& definition, GraphqlScope* scope) {
  if (GraphqlKindOf(value) != kObject) {
    check_.Fail(value, "Expected value of type " + GraphqlQuote(TypeText(type)) + ", found " +
                           GraphqlShown(value) + ".");
    return {};
  }
  const auto children = NodeList(value, "Children");
  const auto fields = NodeList(definition, "Fields");
  const std::string owner(NodeText(definition, "Name"));
  TRY(check_.context.Charge((fields.size() + 1) * (children.size() + 1) / 8));
  check_.CheckUnique(children, "Name", "There can be only one input field named \"", "\".");
  for (const Value& field : fields) {
    const std::string_view name = NodeText(field, "Name");
    if (!IsRequired(field) || NodeNamed(children, name) != nullptr) continue;
    check_.Fail(value, "Field " + GraphqlQuote(owner + "." + std::string(name)) +
                           " of required type " + GraphqlQuote(TypeText(NodeAt(field, "Type"))) +
                           " was not provided.");
  }
  for (const Value& child : children) {
    const std::string_view name = NodeText(child, "Name");
    const Value* field = NodeNamed(fields, name);
    if (field == nullptr) {
      check_.Fail(child, "Field " + GraphqlQuote(name) + " is not defined by type " +
                             GraphqlQuote(owner) + ".");
      continue;
    }
    TRY(CheckValue(NodeAt(child, "Value"), NodeAt(*field, "Type"),
                   !NodeAt(*field, "DefaultValue").is_null(), scope));
  }
  return {};
}

std::string GraphqlShown(const Value& value) {
  const std::string raw(NodeText(value, "Raw"));
  const int kind = GraphqlKindOf(value);
  if (kind == kString || kind == kBlock) return GraphqlQuote(raw);
  const bool list = kind == kList;
  if (!list && kind != kObject) return raw;
  std::string out;
  for (const Value& child : NodeList(value, "Children")) {
    out += (out.empty() ? "" : ",") + (list ? "" : std::string(NodeText(child, "Name")) + ":") +
           GraphqlShown(NodeAt(child, "Value"));
  }
  return list ? "[" + out + "]" : "{" + out + "}";
}

}  // namespace kata_cc::policy
