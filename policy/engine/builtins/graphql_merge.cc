// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/graphql_check.h"

namespace kata_cc::policy {
namespace {

struct Selected {
  const Value* field;
  const Value* parent;      // Type, may be null.
  const Value* definition;  // May be null.
};

class MergeChecker {
 public:
  explicit MergeChecker(GraphqlCheck& check) : check_(check) {}

  Result<void> Check(const Value& node, const Value* type) {
    std::vector<Selected> fields;
    std::set<std::string> fragments;
    TRY(Collect(node, type, fields, fragments));
    return CheckMergeAll(fields, 0);
  }

 private:
  Result<void> Collect(const Value& node, const Value* type, std::vector<Selected>& out,
                       std::set<std::string>& fragments) {
    for (const Value& selection : NodeList(node, "SelectionSet")) {
      TRY(check_.context.Charge(2));
      if (IsGraphqlField(selection)) {
        if (type != nullptr) TRY(check_.context.Charge(NodeList(*type, "Fields").size() / 8));
        const Value* definition =
            type != nullptr ? check_.schema.Field(*type, NodeText(selection, "Name")) : nullptr;
        out.push_back({&selection, type, definition});
        continue;
      }
      const Value* source = &selection;
      if (!IsGraphqlInline(selection)) {
        const std::string name(NodeText(selection, "Name"));
        source = check_.Fragment(name);
        if (source == nullptr || !fragments.insert(name).second) continue;
      }
      const std::string_view condition = NodeText(*source, "TypeCondition");
      TRY(Collect(*source, condition.empty() ? type : check_.schema.Type(condition), out,
                  fragments));
    }
    return {};
  }

  Result<void> CheckMergeAll(const std::vector<Selected>& fields, std::size_t depth) {
    if (check_.error) return {};
    if (depth > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL query nested too deep");
    }
    std::map<std::string_view, std::vector<Selected>> by_name;
    for (const Selected& field : fields) {
      by_name[NodeText(*field.field, "Alias")].push_back(field);
    }
    for (const auto& [name, group] : by_name) {
      TRY(check_.context.Charge(1 + group.size() * group.size() * 4));
      for (std::size_t i = 1; i < group.size() && !check_.error; ++i) {
        for (std::size_t k = 0; k < i; ++k)
          CheckPair(std::string(name), group[k], group[i]);
      }
      std::vector<Selected> below;
      std::set<std::string> fragments;
      for (const Selected& field : group) {
        const Value* type = field.definition != nullptr
                                ? check_.schema.Type(TypeName(NodeAt(*field.definition, "Type")))
                                : nullptr;
        TRY(Collect(*field.field, type, below, fragments));
      }
      if (!below.empty()) TRY(CheckMergeAll(below, depth + 1));
    }
    return {};
  }

  void CheckPair(const std::string& name, const Selected& a, const Selected& b) {
    const auto conflict = [&](const std::string& why) {
      check_.Fail(*b.field, "Fields " + GraphqlQuote(name) + " conflict because " + why +
                                ". Use different aliases on the fields to fetch both if this was "
                                "intentional");
    };
    if (a.definition != nullptr && b.definition != nullptr) {
      const std::string a_type = ShapeText(*a.definition);
      const std::string b_type = ShapeText(*b.definition);
      if (a_type != b_type) {
        return conflict("they return conflicting types " +
                        GraphqlQuote(TypeText(NodeAt(*a.definition, "Type"))) + " and " +
                        GraphqlQuote(TypeText(NodeAt(*b.definition, "Type"))));
      }
    }
    const bool exclusive = a.parent != b.parent && a.parent != nullptr && b.parent != nullptr &&
                           NodeText(*a.parent, "Kind") == "OBJECT" &&
                           NodeText(*b.parent, "Kind") == "OBJECT";
    if (exclusive) return;
    const std::string_view a_name = NodeText(*a.field, "Name");
    const std::string_view b_name = NodeText(*b.field, "Name");
    if (a_name != b_name) {
      return conflict(GraphqlQuote(a_name) + " and " + GraphqlQuote(b_name) +
                      " are different fields");
    }
    if (ArgumentsText(*a.field) != ArgumentsText(*b.field)) {
      conflict("they have differing arguments");
    }
  }

  // Composite results need not be of one type: what is selected of them is compared instead.
  std::string ShapeText(const Value& definition) const {
    const Value& type = NodeAt(definition, "Type");
    const Value* result = check_.schema.Type(TypeName(type));
    std::string text = TypeText(type);
    if (result == nullptr || !IsCompositeKind(NodeText(*result, "Kind"))) return text;
    const std::string name(TypeName(type));
    return text.replace(text.find(name), name.size(), "*");
  }

  static std::string ArgumentsText(const Value& field) {
    std::map<std::string_view, std::string> sorted;
    for (const Value& argument : NodeList(field, "Arguments")) {
      const Value& value = NodeAt(argument, "Value");
      sorted[NodeText(argument, "Name")] =
          (GraphqlKindOf(value) == kVariable ? "$" : "") + GraphqlShown(value);
    }
    std::string out;
    for (const auto& [name, value] : sorted) {
      out.append(name).append(":").append(value).append(";");
    }
    return out;
  }

  GraphqlCheck& check_;
};

}  // namespace

Result<void> CheckGraphqlMerge(GraphqlCheck& check, const Value& node, const Value* type) {
  return MergeChecker(check).Check(node, type);
}

}  // namespace kata_cc::policy
