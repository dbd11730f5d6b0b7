// SPDX-License-Identifier: Apache-2.0
// Whether a query fits a schema: the rules of chapter 5 of the GraphQL specification.
#include <algorithm>
#include <set>

#include "policy/engine/builtins/graphql_check.h"

namespace kata_cc::policy {
namespace {

class QueryChecker {
 public:
  explicit QueryChecker(GraphqlCheck& check) : check_(check), values_(check) {}

  Result<void> Run() {
    CheckNames();
    for (const Value& operation : NodeList(check_.query, "Operations"))
      TRY(CheckOperation(operation));
    TRY(CheckFragments());
    return {};
  }

 private:
  void CheckNames() {
    const auto operations = NodeList(check_.query, "Operations");
    for (const Value& operation : operations) {
      if (NodeText(operation, "Name").empty() && operations.size() > 1) {
        check_.Fail(operation, "This anonymous operation must be the only defined operation");
      }
    }
    check_.CheckUnique(operations, "Name", "There can be only one operation named \"", "\"");
    check_.CheckUnique(NodeList(check_.query, "Fragments"), "Name",
                       "There can be only one fragment named \"", "\"");
  }

  Result<void> CheckOperation(const Value& operation) {
    const std::string_view kind = NodeText(operation, "Operation");
    GraphqlScope scope;
    const auto variables = NodeList(operation, "VariableDefinitions");
    for (const Value& variable : variables)
      scope.variables.emplace(NodeText(variable, "Variable"), &variable);
    check_.CheckUnique(variables, "Variable", "There can be only one variable named \"$", "\"");
    for (const Value& variable : variables)
      TRY(CheckVariable(variable));
    const Value* root = check_.schema.Root(kind);
    const std::string_view location = kind == "mutation"       ? "MUTATION"
                                      : kind == "subscription" ? "SUBSCRIPTION"
                                                               : "QUERY";
    TRY(CheckDirectives(operation, location, &scope));
    if (root == nullptr) {
      check_.Fail(operation, "Schema does not support operation type " + GraphqlQuote(kind));
    } else {
      TRY(CheckSelections(operation, root, scope));
      TRY(CheckGraphqlMerge(check_, operation, root));
      if (kind == "subscription") CheckSubscription(operation);
    }
    for (const Value& variable : variables) {
      const std::string_view name = NodeText(variable, "Variable");
      if (root == nullptr || scope.used.count(name) != 0) continue;
      const std::string_view inside = NodeText(operation, "Name");
      check_.Fail(variable, "Variable \"$" + std::string(name) + "\" is never used" +
                                (inside.empty() ? "" : " in operation " + GraphqlQuote(inside)));
    }
    return {};
  }

  Result<void> CheckVariable(const Value& variable) {
    const Value& type = NodeAt(variable, "Type");
    const Value* definition = check_.schema.Type(TypeName(type));
    if (definition == nullptr) {
      check_.Fail(variable, "Unknown type " + GraphqlQuote(TypeName(type)));
    } else if (!IsInputKind(NodeText(*definition, "Kind"))) {
      check_.Fail(variable, "Variable \"$" + std::string(NodeText(variable, "Variable")) +
                                "\" cannot be non-input type " + GraphqlQuote(TypeText(type)));
    } else if (const Value& value = NodeAt(variable, "DefaultValue"); !value.is_null()) {
      TRY(values_.CheckValue(value, type, false, nullptr));
    }
    return CheckDirectives(variable, "VARIABLE_DEFINITION", nullptr);
  }

  void CheckSubscription(const Value& operation) {
    const auto selections = NodeList(operation, "SelectionSet");
    std::size_t fields = selections.size();
    if (selections.size() == 1 && !IsGraphqlField(selections[0])) {
      const Value* source = &selections[0];
      if (!IsGraphqlInline(*source)) source = check_.Fragment(NodeText(*source, "Name"));
      fields = source != nullptr ? NodeList(*source, "SelectionSet").size() : 1;
    }
    if (fields < 2) return;
    const std::string_view name = NodeText(operation, "Name");
    check_.Fail(selections.size() > 1 ? selections[1] : operation,
                (name.empty() ? std::string("Anonymous Subscription")
                              : "Subscription " + GraphqlQuote(name)) +
                    " must select only one top level field");
  }

  Result<void> CheckSelections(const Value& parent, const Value* type, GraphqlScope& scope) {
    if (++depth_ > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL query nested too deep");
    }
    for (const Value& selection : NodeList(parent, "SelectionSet")) {
      TRY(check_.context.Charge(8));
      if (check_.error) return {};
      if (IsGraphqlField(selection)) {
        TRY(CheckField(selection, type, scope));
      } else if (IsGraphqlInline(selection)) {
        TRY(CheckInline(selection, type, scope));
      } else {
        TRY(CheckSpread(selection, type, scope));
      }
    }
    --depth_;
    return {};
  }

  Result<void> CheckField(const Value& field, const Value* type, GraphqlScope& scope) {
    const std::string_view name = NodeText(field, "Name");
    if (type != nullptr) TRY(check_.context.Charge(NodeList(*type, "Fields").size() / 8));
    const Value* definition = type != nullptr ? check_.schema.Field(*type, name) : nullptr;
    TRY(CheckDirectives(field, "FIELD", &scope));
    if (definition == nullptr) {
      if (type != nullptr) {
        check_.Fail(field, "Cannot query field " + GraphqlQuote(name) + " on type " +
                               GraphqlQuote(NodeText(*type, "Name")) + ".");
      }
      return CheckSelections(field, nullptr, scope);
    }
    const std::string owner(NodeText(*type, "Name"));
    TRY(values_.CheckArguments(field, NodeList(*definition, "Arguments"),
                               " on field " + GraphqlQuote(owner + "." + std::string(name)),
                               "Field " + GraphqlQuote(name), &scope));
    const Value& result = NodeAt(*definition, "Type");
    const Value* result_type = check_.schema.Type(TypeName(result));
    const bool composite =
        result_type != nullptr && IsCompositeKind(NodeText(*result_type, "Kind"));
    const bool selects = !NodeList(field, "SelectionSet").empty();
    if (composite && !selects) {
      check_.Fail(field, "Field " + GraphqlQuote(name) + " of type " +
                             GraphqlQuote(TypeText(result)) +
                             " must have a selection of subfields. Did you mean \"" +
                             std::string(name) + " { ... }\"?");
    }
    if (!composite && selects) {
      check_.Fail(field, "Field " + GraphqlQuote(name) + " must not have a selection since type " +
                             GraphqlQuote(TypeText(result)) + " has no subfields");
    }
    return CheckSelections(field, result_type, scope);
  }

  // The type that a fragment's condition names; null after a failure.
  const Value* ConditionType(const Value& node, std::string_view fragment) {
    const std::string_view name = NodeText(node, "TypeCondition");
    const Value* type = check_.schema.Type(name);
    if (type == nullptr) {
      check_.Fail(node, "Unknown type " + GraphqlQuote(name));
    } else if (!IsCompositeKind(NodeText(*type, "Kind"))) {
      check_.Fail(node, (fragment.empty() ? std::string("Fragment")
                                          : "Fragment " + GraphqlQuote(fragment)) +
                            " cannot condition on non composite type " + GraphqlQuote(name));
    }
    return type;
  }

  void CheckPossible(const Value& node, const Value* outer, const Value* inner,
                     std::string_view fragment) {
    if (outer == nullptr || inner == nullptr || !IsCompositeKind(NodeText(*outer, "Kind")) ||
        !IsCompositeKind(NodeText(*inner, "Kind"))) {
      return;
    }
    const auto& a = check_.schema.PossibleTypes(NodeText(*outer, "Name"));
    const auto& b = check_.schema.PossibleTypes(NodeText(*inner, "Name"));
    if (std::any_of(a.begin(), a.end(), [&b](const auto& name) { return b.count(name) != 0; })) {
      return;
    }
    check_.Fail(node, "Fragment " + (fragment.empty() ? "" : GraphqlQuote(fragment) + " ") +
                          "cannot be spread here as objects of type " +
                          GraphqlQuote(NodeText(*outer, "Name")) + " can never be of type " +
                          GraphqlQuote(NodeText(*inner, "Name")));
  }

  Result<void> CheckInline(const Value& fragment, const Value* type, GraphqlScope& scope) {
    TRY(CheckDirectives(fragment, "INLINE_FRAGMENT", &scope));
    const Value* inner = type;
    if (!NodeText(fragment, "TypeCondition").empty()) {
      inner = ConditionType(fragment, "");
      CheckPossible(fragment, type, inner, "");
    }
    return CheckSelections(fragment, inner, scope);
  }

  Result<void> CheckSpread(const Value& spread, const Value* type, GraphqlScope& scope) {
    const std::string name(NodeText(spread, "Name"));
    TRY(CheckDirectives(spread, "FRAGMENT_SPREAD", &scope));
    const Value* fragment = check_.Fragment(name);
    if (fragment == nullptr) {
      check_.Fail(spread, "Unknown fragment " + GraphqlQuote(name));
      return {};
    }
    spread_.insert(name);
    CheckPossible(spread, type, check_.schema.Type(NodeText(*fragment, "TypeCondition")), name);
    if (!scope.fragments.insert(name).second) return {};
    return CheckSelections(*fragment, check_.schema.Type(NodeText(*fragment, "TypeCondition")),
                           scope);
  }

  Result<void> CheckFragments() {
    for (const Value& fragment : NodeList(check_.query, "Fragments")) {
      const std::string name(NodeText(fragment, "Name"));
      ConditionType(fragment, name);
      TRY(CheckDirectives(fragment, "FRAGMENT_DEFINITION", nullptr));
      std::vector<std::string> path{name};
      TRY(CheckCycle(fragment, path));
      if (spread_.count(name) == 0)
        check_.Fail(fragment, "Fragment " + GraphqlQuote(name) + " is never used");
    }
    return {};
  }

  Result<void> CheckCycle(const Value& node, std::vector<std::string>& path) {
    if (path.size() > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL fragments nested too deep");
    }
    for (const Value& selection : NodeList(node, "SelectionSet")) {
      TRY(check_.context.Charge(4));
      if (IsGraphqlField(selection) || IsGraphqlInline(selection)) {
        TRY(CheckCycle(selection, path));
        continue;
      }
      const std::string name(NodeText(selection, "Name"));
      const Value* fragment = check_.Fragment(name);
      if (fragment == nullptr) continue;
      if (name == path.front()) {
        check_.Fail(selection, "Cannot spread fragment " + GraphqlQuote(name) + " within itself");
        continue;
      }
      if (std::find(path.begin(), path.end(), name) != path.end()) continue;
      path.push_back(name);
      TRY(CheckCycle(*fragment, path));
      path.pop_back();
    }
    return {};
  }

  Result<void> CheckDirectives(const Value& node, std::string_view location, GraphqlScope* scope) {
    std::set<std::string> seen;
    for (const Value& use : NodeList(node, "Directives")) {
      const std::string name(NodeText(use, "Name"));
      const Value* definition = check_.schema.Directive(name);
      if (definition == nullptr) {
        check_.Fail(use, "Unknown directive \"@" + name + "\"");
        continue;
      }
      const auto locations = NodeList(*definition, "Locations");
      if (std::find(locations.begin(), locations.end(), Value::String(location)) ==
          locations.end()) {
        check_.Fail(use, "Directive \"@" + name + "\" may not be used on " + std::string(location));
      }
      if (!seen.insert(name).second && !NodeFlag(*definition, "IsRepeatable")) {
        check_.Fail(use, "The directive \"@" + name + "\" can only be used once at this location");
      }
      TRY(values_.CheckArguments(use, NodeList(*definition, "Arguments"),
                                 " on directive \"@" + name + "\"", "Directive \"@" + name + "\"",
                                 scope));
    }
    return {};
  }

  GraphqlCheck& check_;
  GraphqlValues values_;
  std::set<std::string> spread_;
  std::size_t depth_ = 0;
};

}  // namespace

GraphqlCheck::GraphqlCheck(BuiltinContext& lent, const Value& document, const GraphqlSchema& types)
    : context(lent), query(document), schema(types) {
  for (const Value& fragment : NodeList(query, "Fragments"))
    fragments.emplace(NodeText(fragment, "Name"), &fragment);
}

const Value* GraphqlCheck::Fragment(std::string_view name) const {
  const auto found = fragments.find(name);
  return found != fragments.end() ? found->second : nullptr;
}

void GraphqlCheck::CheckUnique(std::span<const Value> list, std::string_view key,
                               const std::string& before, const std::string& after) {
  std::set<std::string_view> seen;
  for (const Value& item : list) {
    const std::string_view name = NodeText(item, key);
    if (!name.empty() && !seen.insert(name).second) {
      Fail(item, before + std::string(name) + after);
    }
  }
}

Result<void> CheckGraphqlQuery(BuiltinContext& context, const Value& query,
                               const GraphqlSchema& schema) {
  GraphqlCheck check(context, query, schema);
  TRY(QueryChecker(check).Run());
  if (check.error) return *std::move(check.error);
  return {};
}

}  // namespace kata_cc::policy
