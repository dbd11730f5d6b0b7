// SPDX-License-Identifier: Apache-2.0
// Whether a query fits a schema: the rules of chapter 5 of the GraphQL specification.
#include <algorithm>
#include <set>

#include "policy/engine/builtins/graphql_schema.h"

namespace kata_cc::policy {
namespace {

std::string Quote(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

// An inline fragment has a TypeCondition, a spread a Name only, a field an Alias.
bool IsField(const Value& selection) {
  return selection.Find("Alias") != nullptr;
}
bool IsInline(const Value& selection) {
  return selection.Find("TypeCondition") != nullptr;
}

// The variables of an operation while its selections are walked.
struct Scope {
  std::span<const Value> definitions;
  std::set<std::string, std::less<>> used;
  std::set<std::string, std::less<>> fragments;  // Entered already.
};

class QueryChecker {
 public:
  QueryChecker(BuiltinContext& context, const Value& query, const GraphqlSchema& schema)
      : context_(context), query_(query), schema_(schema) {}

  Result<std::vector<Error>> Run() {
    CheckNames();
    for (const Value& operation : NodeList(query_, "Operations"))
      TRY(CheckOperation(operation));
    TRY(CheckFragments());
    return std::move(errors_);
  }

 private:
  void Fail(const Value& node, const std::string& text) {
    errors_.push_back(GraphqlError(node, text));
  }

  const Value* FragmentNamed(std::string_view name) const {
    return NodeNamed(NodeList(query_, "Fragments"), name);
  }

  void CheckUnique(std::span<const Value> list, std::string_view key, const std::string& before,
                   const std::string& after = "") {
    std::set<std::string_view> seen;
    for (const Value& item : list) {
      const std::string_view name = NodeText(item, key);
      if (!name.empty() && !seen.insert(name).second) {
        Fail(item, before + std::string(name) + after);
      }
    }
  }

  void CheckNames() {
    const auto operations = NodeList(query_, "Operations");
    for (const Value& operation : operations) {
      if (NodeText(operation, "Name").empty() && operations.size() > 1) {
        Fail(operation, "This anonymous operation must be the only defined operation");
      }
    }
    CheckUnique(operations, "Name", "There can be only one operation named \"", "\"");
    CheckUnique(NodeList(query_, "Fragments"), "Name", "There can be only one fragment named \"",
                "\"");
  }

  Result<void> CheckOperation(const Value& operation) {
    const std::string_view kind = NodeText(operation, "Operation");
    Scope scope;
    scope.definitions = NodeList(operation, "VariableDefinitions");
    CheckUnique(scope.definitions, "Variable", "There can be only one variable named \"$", "\"");
    for (const Value& variable : scope.definitions)
      TRY(CheckVariable(variable));
    const Value* root = schema_.Root(kind);
    const std::string_view location = kind == "mutation"       ? "MUTATION"
                                      : kind == "subscription" ? "SUBSCRIPTION"
                                                               : "QUERY";
    TRY(CheckDirectives(operation, location, &scope));
    if (root == nullptr) {
      Fail(operation, "Schema does not support operation type " + Quote(kind));
    } else {
      TRY(CheckSelections(operation, root, scope));
      TRY(CheckMerge(operation, root));
      if (kind == "subscription") CheckSubscription(operation);
    }
    for (const Value& variable : scope.definitions) {
      const std::string_view name = NodeText(variable, "Variable");
      if (root == nullptr || scope.used.count(name) != 0) continue;
      const std::string_view inside = NodeText(operation, "Name");
      Fail(variable, "Variable \"$" + std::string(name) + "\" is never used" +
                         (inside.empty() ? "" : " in operation " + Quote(inside)));
    }
    return {};
  }

  Result<void> CheckVariable(const Value& variable) {
    const Value& type = NodeAt(variable, "Type");
    const Value* definition = schema_.Type(TypeName(type));
    if (definition == nullptr) {
      Fail(variable, "Unknown type " + Quote(TypeName(type)));
    } else if (!IsInputKind(NodeText(*definition, "Kind"))) {
      Fail(variable, "Variable \"$" + std::string(NodeText(variable, "Variable")) +
                         "\" cannot be non-input type " + Quote(TypeText(type)));
    } else if (const Value& value = NodeAt(variable, "DefaultValue"); !value.is_null()) {
      TRY(CheckValue(value, type, false, nullptr));
    }
    return CheckDirectives(variable, "VARIABLE_DEFINITION", nullptr);
  }

  void CheckSubscription(const Value& operation) {
    const auto selections = NodeList(operation, "SelectionSet");
    std::size_t fields = selections.size();
    if (selections.size() == 1 && !IsField(selections[0])) {
      const Value* source = &selections[0];
      if (!IsInline(*source)) source = FragmentNamed(NodeText(*source, "Name"));
      fields = source != nullptr ? NodeList(*source, "SelectionSet").size() : 1;
    }
    if (fields < 2) return;
    const std::string_view name = NodeText(operation, "Name");
    Fail(selections.size() > 1 ? selections[1] : operation,
         (name.empty() ? std::string("Anonymous Subscription") : "Subscription " + Quote(name)) +
             " must select only one top level field");
  }

  Result<void> CheckSelections(const Value& parent, const Value* type, Scope& scope) {
    if (++depth_ > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL query nested too deep");
    }
    for (const Value& selection : NodeList(parent, "SelectionSet")) {
      TRY(context_.Charge(8));
      if (IsField(selection)) {
        TRY(CheckField(selection, type, scope));
      } else if (IsInline(selection)) {
        TRY(CheckInline(selection, type, scope));
      } else {
        TRY(CheckSpread(selection, type, scope));
      }
    }
    --depth_;
    return {};
  }

  Result<void> CheckField(const Value& field, const Value* type, Scope& scope) {
    const std::string_view name = NodeText(field, "Name");
    const Value* definition = type != nullptr ? schema_.Field(*type, name) : nullptr;
    TRY(CheckDirectives(field, "FIELD", &scope));
    if (definition == nullptr) {
      if (type != nullptr) {
        Fail(field, "Cannot query field " + Quote(name) + " on type " +
                        Quote(NodeText(*type, "Name")) + ".");
      }
      return CheckSelections(field, nullptr, scope);
    }
    const std::string owner(NodeText(*type, "Name"));
    TRY(CheckArguments(field, NodeList(*definition, "Arguments"),
                       " on field " + Quote(owner + "." + std::string(name)),
                       "Field " + Quote(name), scope));
    const Value& result = NodeAt(*definition, "Type");
    const Value* result_type = schema_.Type(TypeName(result));
    const bool composite =
        result_type != nullptr && IsCompositeKind(NodeText(*result_type, "Kind"));
    const bool selects = !NodeList(field, "SelectionSet").empty();
    if (composite && !selects) {
      Fail(field, "Field " + Quote(name) + " of type " + Quote(TypeText(result)) +
                      " must have a selection of subfields. Did you mean \"" + std::string(name) +
                      " { ... }\"?");
    }
    if (!composite && selects) {
      Fail(field, "Field " + Quote(name) + " must not have a selection since type " +
                      Quote(TypeText(result)) + " has no subfields");
    }
    return CheckSelections(field, result_type, scope);
  }

  // The type that a fragment's condition names; null after a failure.
  const Value* ConditionType(const Value& node, std::string_view fragment) {
    const std::string_view name = NodeText(node, "TypeCondition");
    const Value* type = schema_.Type(name);
    if (type == nullptr) {
      Fail(node, "Unknown type " + Quote(name));
    } else if (!IsCompositeKind(NodeText(*type, "Kind"))) {
      Fail(node, (fragment.empty() ? std::string("Fragment") : "Fragment " + Quote(fragment)) +
                     " cannot condition on non composite type " + Quote(name));
    }
    return type;
  }

  void CheckPossible(const Value& node, const Value* outer, const Value* inner,
                     std::string_view fragment) {
    if (outer == nullptr || inner == nullptr || !IsCompositeKind(NodeText(*outer, "Kind")) ||
        !IsCompositeKind(NodeText(*inner, "Kind"))) {
      return;
    }
    const auto& a = schema_.PossibleTypes(NodeText(*outer, "Name"));
    const auto& b = schema_.PossibleTypes(NodeText(*inner, "Name"));
    if (std::any_of(a.begin(), a.end(), [&b](const auto& name) { return b.count(name) != 0; })) {
      return;
    }
    Fail(node, "Fragment " + (fragment.empty() ? "" : Quote(fragment) + " ") +
                   "cannot be spread here as objects of type " + Quote(NodeText(*outer, "Name")) +
                   " can never be of type " + Quote(NodeText(*inner, "Name")));
  }

  Result<void> CheckInline(const Value& fragment, const Value* type, Scope& scope) {
    TRY(CheckDirectives(fragment, "INLINE_FRAGMENT", &scope));
    const Value* inner = type;
    if (!NodeText(fragment, "TypeCondition").empty()) {
      inner = ConditionType(fragment, "");
      CheckPossible(fragment, type, inner, "");
    }
    return CheckSelections(fragment, inner, scope);
  }

  Result<void> CheckSpread(const Value& spread, const Value* type, Scope& scope) {
    const std::string name(NodeText(spread, "Name"));
    TRY(CheckDirectives(spread, "FRAGMENT_SPREAD", &scope));
    const Value* fragment = FragmentNamed(name);
    if (fragment == nullptr) {
      Fail(spread, "Unknown fragment " + Quote(name));
      return {};
    }
    spread_.insert(name);
    CheckPossible(spread, type, schema_.Type(NodeText(*fragment, "TypeCondition")), name);
    if (!scope.fragments.insert(name).second) return {};
    return CheckSelections(*fragment, schema_.Type(NodeText(*fragment, "TypeCondition")), scope);
  }

  Result<void> CheckFragments() {
    for (const Value& fragment : NodeList(query_, "Fragments")) {
      const std::string name(NodeText(fragment, "Name"));
      ConditionType(fragment, name);
      TRY(CheckDirectives(fragment, "FRAGMENT_DEFINITION", nullptr));
      std::vector<std::string> path{name};
      TRY(CheckCycle(fragment, path));
      if (spread_.count(name) == 0) Fail(fragment, "Fragment " + Quote(name) + " is never used");
    }
    return {};
  }

  Result<void> CheckCycle(const Value& node, std::vector<std::string>& path) {
    if (path.size() > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL fragments nested too deep");
    }
    for (const Value& selection : NodeList(node, "SelectionSet")) {
      TRY(context_.Charge(4));
      if (IsField(selection) || IsInline(selection)) {
        TRY(CheckCycle(selection, path));
        continue;
      }
      const std::string name(NodeText(selection, "Name"));
      const Value* fragment = FragmentNamed(name);
      if (fragment == nullptr) continue;
      if (name == path.front()) {
        Fail(selection, "Cannot spread fragment " + Quote(name) + " within itself");
        continue;
      }
      if (std::find(path.begin(), path.end(), name) != path.end()) continue;
      path.push_back(name);
      TRY(CheckCycle(*fragment, path));
      path.pop_back();
    }
    return {};
  }

  Result<void> CheckDirectives(const Value& node, std::string_view location, Scope* scope) {
    std::set<std::string> seen;
    for (const Value& use : NodeList(node, "Directives")) {
      const std::string name(NodeText(use, "Name"));
      const Value* definition = schema_.Directive(name);
      if (definition == nullptr) {
        Fail(use, "Unknown directive \"@" + name + "\"");
        continue;
      }
      const auto locations = NodeList(*definition, "Locations");
      if (std::find(locations.begin(), locations.end(), Value::String(location)) ==
          locations.end()) {
        Fail(use, "Directive \"@" + name + "\" may not be used on " + std::string(location));
      }
      if (!seen.insert(name).second && !NodeFlag(*definition, "IsRepeatable")) {
        Fail(use, "The directive \"@" + name + "\" can only be used once at this location");
      }
      Scope none;
      TRY(CheckArguments(use, NodeList(*definition, "Arguments"), " on directive \"@" + name + "\"",
                         "Directive \"@" + name + "\"", scope != nullptr ? *scope : none,
                         scope == nullptr));
    }
    return {};
  }

  Result<void> CheckArguments(const Value& node, std::span<const Value> known,
                              const std::string& where, const std::string& owner, Scope& scope,
                              bool ignore_variables = false) {
    const auto given = NodeList(node, "Arguments");
    CheckUnique(given, "Name", "There can be only one argument named \"", "\"");
    for (const Value& argument : given) {
      const std::string_view name = NodeText(argument, "Name");
      const Value* definition = NodeNamed(known, name);
      if (definition == nullptr) {
        Fail(node, "Unknown argument " + Quote(name) + where);
        MarkVariables(NodeAt(argument, "Value"), scope);
        continue;
      }
      TRY(CheckValue(NodeAt(argument, "Value"), NodeAt(*definition, "Type"),
                     !NodeAt(*definition, "DefaultValue").is_null(),
                     ignore_variables ? nullptr : &scope));
    }
    for (const Value& definition : known) {
      if (!IsRequired(definition)) continue;
      if (NodeNamed(given, NodeText(definition, "Name")) != nullptr) continue;
      Fail(node, owner + " argument " + Quote(NodeText(definition, "Name")) + " of type " +
                     Quote(TypeText(NodeAt(definition, "Type"))) +
                     " is required, but it was not provided");
    }
    return {};
  }

  void MarkVariables(const Value& value, Scope& scope) {
    if (KindOf(value) == kVariable) UseVariable(value, scope);
    for (const Value& child : NodeList(value, "Children")) {
      MarkVariables(NodeAt(child, "Value"), scope);
    }
  }

  static int KindOf(const Value& value) {
    const Value& kind = NodeAt(value, "Kind");
    return kind.is_number() ? static_cast<int>(kind.ToInt64().value_or(-1)) : -1;
  }

  const Value* UseVariable(const Value& value, Scope& scope) {
    const std::string name(NodeText(value, "Raw"));
    const Value* definition = NodeNamed(scope.definitions, name, "Variable");
    if (definition == nullptr) Fail(value, "Variable \"$" + name + "\" is not defined");
    scope.used.insert(name);
    return definition;
  }

  // Whether a variable of this type may stand where `wanted` is expected.
  static bool Compatible(const Value& given, const Value& wanted) {
    if (NodeFlag(wanted, "NonNull") && !NodeFlag(given, "NonNull")) return false;
    const Value& a = NodeAt(given, "Elem");
    const Value& b = NodeAt(wanted, "Elem");
    if (a.is_object() != b.is_object()) return false;
    if (a.is_object()) return Compatible(a, b);
    return NodeText(given, "NamedType") == NodeText(wanted, "NamedType");
  }

  void CheckVariableUse(const Value& value, const Value& type, bool has_default, Scope& scope) {
    const Value* definition = UseVariable(value, scope);
    if (definition == nullptr) return;
    const Value& given = NodeAt(*definition, "Type");
    const Value& own_default = NodeAt(*definition, "DefaultValue");
    const bool defaulted = has_default || (!own_default.is_null() && KindOf(own_default) != kNull);
    const auto nullable = [](const Value& from) {
      std::vector<Member> members(from.members().begin(), from.members().end());
      members.push_back({Value::String("NonNull"), Value::Bool(false)});
      return Value::Object(std::move(members));
    };
    if (Compatible(given, defaulted ? nullable(type) : type)) return;
    Fail(value, "Variable \"$" + std::string(NodeText(value, "Raw")) + "\" of type " +
                    Quote(TypeText(given)) + " used in position expecting type " +
                    Quote(TypeText(type)));
  }

  Result<void> CheckValue(const Value& value, const Value& type, bool has_default, Scope* scope) {
    TRY(context_.Charge(4));
    if (++depth_ > 2 * kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL value nested too deep");
    }
    TRY(CheckValueHere(value, type, has_default, scope));
    --depth_;
    return {};
  }

  Result<void> CheckValueHere(const Value& value, const Value& type, bool has_default,
                              Scope* scope) {
    const int kind = KindOf(value);
    if (kind == kVariable) {
      if (scope != nullptr) CheckVariableUse(value, type, has_default, *scope);
      return {};
    }
    if (kind == kNull) {
      if (NodeFlag(type, "NonNull")) {
        Fail(value, "Expected value of type " + Quote(TypeText(type)) + ", found null");
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
    const Value* definition = schema_.Type(NodeText(type, "NamedType"));
    if (definition == nullptr) return {};
    const std::string_view type_kind = NodeText(*definition, "Kind");
    if (type_kind == "INPUT_OBJECT") return CheckInput(value, type, *definition, scope);
    if (type_kind == "ENUM") {
      CheckEnum(value, type, *definition);
    } else {
      CheckScalar(value, type, *definition);
      if (scope != nullptr) MarkVariables(value, *scope);
    }
    return {};
  }

  void CheckEnum(const Value& value, const Value& type, const Value& definition) {
    const std::string_view raw = NodeText(value, "Raw");
    const std::string_view name = NodeText(type, "NamedType");
    if (KindOf(value) != kEnum) {
      Fail(value,
           "Enum " + Quote(name) + " cannot represent non-enum value: " + Shown(value) + ".");
    } else if (NodeNamed(NodeList(definition, "EnumValues"), raw) == nullptr) {
      Fail(value, "Value " + Quote(raw) + " does not exist in " + Quote(name) + " enum.");
    }
  }

  static std::string Shown(const Value& value) {
    const std::string raw(NodeText(value, "Raw"));
    const int kind = KindOf(value);
    if (kind == kString || kind == kBlock) return Quote(raw);
    const bool list = kind == kList;
    if (!list && kind != kObject) return raw;
    std::string out;
    for (const Value& child : NodeList(value, "Children")) {
      out += (out.empty() ? "" : ",") + (list ? "" : std::string(NodeText(child, "Name")) + ":") +
             Shown(NodeAt(child, "Value"));
    }
    return list ? "[" + out + "]" : "{" + out + "}";
  }

  void CheckScalar(const Value& value, const Value& type, const Value& definition) {
    const int kind = KindOf(value);
    const std::string_view name = NodeText(definition, "Name");
    const auto cannot = [&](const std::string& what) {
      Fail(value, std::string(name) + " cannot represent " + what + ": " + Shown(value));
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
    (void)type;
  }

  Result<void> CheckInput(const Value& value, const Value& type, const Value& definition,
                          Scope* scope) {
    if (KindOf(value) != kObject) {
      Fail(value,
           "Expected value of type " + Quote(TypeText(type)) + ", found " + Shown(value) + ".");
      return {};
    }
    const auto children = NodeList(value, "Children");
    const auto fields = NodeList(definition, "Fields");
    const std::string owner(NodeText(definition, "Name"));
    CheckUnique(children, "Name", "There can be only one input field named \"", "\".");
    for (const Value& field : fields) {
      const std::string_view name = NodeText(field, "Name");
      if (!IsRequired(field) || NodeNamed(children, name) != nullptr) continue;
      Fail(value, "Field " + Quote(owner + "." + std::string(name)) + " of required type " +
                      Quote(TypeText(NodeAt(field, "Type"))) + " was not provided.");
    }
    for (const Value& child : children) {
      const std::string_view name = NodeText(child, "Name");
      const Value* field = NodeNamed(fields, name);
      if (field == nullptr) {
        Fail(child, "Field " + Quote(name) + " is not defined by type " + Quote(owner) + ".");
        continue;
      }
      TRY(CheckValue(NodeAt(child, "Value"), NodeAt(*field, "Type"),
                     !NodeAt(*field, "DefaultValue").is_null(), scope));
    }
    return {};
  }

  // ---- fields of one response name must be the same field ----

  struct Selected {
    const Value* field;
    const Value* parent;      // Type, may be null.
    const Value* definition;  // May be null.
  };

  Result<void> Collect(const Value& node, const Value* type, std::vector<Selected>& out,
                       std::set<std::string>& fragments) {
    for (const Value& selection : NodeList(node, "SelectionSet")) {
      TRY(context_.Charge(2));
      if (IsField(selection)) {
        const Value* definition =
            type != nullptr ? schema_.Field(*type, NodeText(selection, "Name")) : nullptr;
        out.push_back({&selection, type, definition});
        continue;
      }
      const Value* source = &selection;
      if (!IsInline(selection)) {
        const std::string name(NodeText(selection, "Name"));
        source = FragmentNamed(name);
        if (source == nullptr || !fragments.insert(name).second) continue;
      }
      const std::string_view condition = NodeText(*source, "TypeCondition");
      TRY(Collect(*source, condition.empty() ? type : schema_.Type(condition), out, fragments));
    }
    return {};
  }

  Result<void> CheckMerge(const Value& node, const Value* type) {
    std::vector<Selected> fields;
    std::set<std::string> fragments;
    TRY(Collect(node, type, fields, fragments));
    return CheckMergeAll(fields, 0);
  }

  Result<void> CheckMergeAll(const std::vector<Selected>& fields, std::size_t depth) {
    if (depth > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL query nested too deep");
    }
    std::map<std::string_view, std::vector<Selected>> by_name;
    for (const Selected& field : fields) {
      by_name[NodeText(*field.field, "Alias")].push_back(field);
    }
    for (const auto& [name, group] : by_name) {
      TRY(context_.Charge(1 + group.size() * group.size()));
      for (std::size_t i = 1; i < group.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k)
          CheckPair(std::string(name), group[k], group[i]);
      }
      std::vector<Selected> below;
      std::set<std::string> fragments;
      for (const Selected& field : group) {
        const Value* type = field.definition != nullptr
                                ? schema_.Type(TypeName(NodeAt(*field.definition, "Type")))
                                : nullptr;
        TRY(Collect(*field.field, type, below, fragments));
      }
      if (!below.empty()) TRY(CheckMergeAll(below, depth + 1));
    }
    return {};
  }

  void CheckPair(const std::string& name, const Selected& a, const Selected& b) {
    const auto conflict = [&](const std::string& why) {
      Fail(*b.field, "Fields " + Quote(name) + " conflict because " + why +
                         ". Use different aliases on the fields to fetch both if this was "
                         "intentional");
    };
    if (a.definition != nullptr && b.definition != nullptr) {
      const std::string a_type = ShapeText(*a.definition);
      const std::string b_type = ShapeText(*b.definition);
      if (a_type != b_type) {
        return conflict("they return conflicting types " +
                        Quote(TypeText(NodeAt(*a.definition, "Type"))) + " and " +
                        Quote(TypeText(NodeAt(*b.definition, "Type"))));
      }
    }
    const bool exclusive = a.parent != b.parent && a.parent != nullptr && b.parent != nullptr &&
                           NodeText(*a.parent, "Kind") == "OBJECT" &&
                           NodeText(*b.parent, "Kind") == "OBJECT";
    if (exclusive) return;
    const std::string_view a_name = NodeText(*a.field, "Name");
    const std::string_view b_name = NodeText(*b.field, "Name");
    if (a_name != b_name) {
      return conflict(Quote(a_name) + " and " + Quote(b_name) + " are different fields");
    }
    if (ArgumentsText(*a.field) != ArgumentsText(*b.field)) {
      conflict("they have differing arguments");
    }
  }

  // Composite results need not be of one type: what is selected of them is compared instead.
  std::string ShapeText(const Value& definition) const {
    const Value& type = NodeAt(definition, "Type");
    const Value* result = schema_.Type(TypeName(type));
    std::string text = TypeText(type);
    if (result == nullptr || !IsCompositeKind(NodeText(*result, "Kind"))) return text;
    const std::string name(TypeName(type));
    return text.replace(text.find(name), name.size(), "*");
  }

  static std::string ArgumentsText(const Value& field) {
    std::map<std::string_view, std::string> sorted;
    for (const Value& argument : NodeList(field, "Arguments")) {
      const Value& value = NodeAt(argument, "Value");
      sorted[NodeText(argument, "Name")] = (KindOf(value) == kVariable ? "$" : "") + Shown(value);
    }
    std::string out;
    for (const auto& [name, value] : sorted) {
      out.append(name).append(":").append(value).append(";");
    }
    return out;
  }

  BuiltinContext& context_;
  const Value& query_;
  const GraphqlSchema& schema_;
  std::vector<Error> errors_;
  std::set<std::string> spread_;
  std::size_t depth_ = 0;
};

}  // namespace

Result<std::vector<Error>> CheckGraphqlQuery(BuiltinContext& context, const Value& query,
                                             const GraphqlSchema& schema) {
  return QueryChecker(context, query, schema).Run();
}

}  // namespace kata_cc::policy
