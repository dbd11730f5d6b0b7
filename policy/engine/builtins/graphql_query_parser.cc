// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/graphql_parser.h"

namespace kata_cc::policy {
namespace {

class QueryParser : private GraphqlParser {
 public:
  QueryParser(BuiltinContext& context, std::string_view text) : GraphqlParser(context, text) {}

  Result<Value> Query() {
    std::vector<Value> operations, fragments;
    while (!Is("<EOF>")) {
      if (Is("{") || IsWord("query") || IsWord("mutation") || IsWord("subscription")) {
        operations.push_back(TRY(Operation()));
      } else if (IsWord("fragment")) {
        fragments.push_back(TRY(Fragment()));
      } else {
        return Unexpected(next());
      }
    }
    std::vector<Member> members;
    AddPart(members, "Operations", std::move(operations));
    AddPart(members, "Fragments", std::move(fragments));
    return Value::Object(std::move(members));
  }

 private:
  Result<Value> Operation() {
    GraphqlNode node(next());
    std::string type = "query", name;
    if (!Is("{")) {
      type = TRY(OperationType());
      if (Is("Name")) name = TRY(Name());
      node.AddList("VariableDefinitions", TRY(Many("(", ")", [this] { return Variable(); })));
      node.AddList("Directives", TRY(Directives(false)));
    }
    node.Add("Operation", Text(type));
    node.Add("Name", Text(name));
    node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }

  Result<std::vector<Value>> RequiredSelections() {
    if (!Is("{")) return Expected("{");
    return Many("{", "}", [this] { return Selection(); });
  }

  Result<Value> Variable() {
    GraphqlNode node(next());
    TRY(Expect("$"));
    node.Add("Variable", Text(TRY(Name())));
    TRY(Expect(":"));
    node.Add("Type", TRY(Type()));
    const bool has_default = TRY(Skip("="));
    if (has_default) node.Add("DefaultValue", TRY(Literal(true)));
    node.AddList("Directives", TRY(Directives(false)));
    node.Add("Used", Value::Bool(false));
    return node.Done();
  }

  Result<Value> Selection() { return Is("...") ? Spread() : Field(); }

  Result<Value> Field() {
    GraphqlNode node(next());
    std::string alias = TRY(Name());
    std::string name = alias;
    const bool aliased = TRY(Skip(":"));
    if (aliased) name = TRY(Name());
    node.Add("Alias", Text(alias));
    node.Add("Name", Text(name));
    node.AddList("Arguments", TRY(Many("(", ")", [this] { return NamedLiteral(false); })));
    node.AddList("Directives", TRY(Directives(false)));
    if (Is("{")) node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }

  Result<Value> Spread() {
    TRY(Expect("..."));
    GraphqlNode node(next());
    if (Is("Name") && !IsWord("on")) {
      node.Add("Name", Text(TRY(Name())));
      node.AddList("Directives", TRY(Directives(false)));
      return node.Done();
    }
    std::string condition;
    if (IsWord("on")) {
      TRY(Take());
      condition = TRY(Name());
    }
    node.Add("TypeCondition", Text(condition));
    node.AddList("Directives", TRY(Directives(false)));
    node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }

  Result<Value> Fragment() {
    GraphqlNode node(next());
    TRY(Word("fragment"));
    if (IsWord("on")) return Unexpected(next());
    node.Add("Name", Text(TRY(Name())));
    node.AddList("VariableDefinition", TRY(Many("(", ")", [this] { return Variable(); })));
    TRY(Word("on"));
    node.Add("TypeCondition", Text(TRY(Name())));
    node.AddList("Directives", TRY(Directives(false)));
    node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }
};

}  // namespace

Result<Value> ParseGraphqlQuery(BuiltinContext& context, std::string_view text) {
  return QueryParser(context, text).Query();
}

}  // namespace kata_cc::policy
