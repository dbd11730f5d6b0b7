// SPDX-License-Identifier: Apache-2.0
// What the parsers of GraphQL queries and schemas share: tokens, values, types, directives.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/engine/builtins/graphql_ast.h"
#include "policy/engine/builtins/graphql_lexer.h"

namespace kata_cc::policy {

// One node under construction.
class GraphqlNode {
 public:
  explicit GraphqlNode(const GraphqlToken& token) {
    Add("Position", Value::Array({Value::Int(token.line), Value::Int(token.column)}));
  }
  void Add(std::string_view key, Value value) {
    members_.push_back({Value::String(key), std::move(value)});
  }
  void AddList(std::string_view key, std::vector<Value> items) {
    if (!items.empty()) Add(key, Value::Array(std::move(items)));
  }
  Value Done() { return Value::Object(std::move(members_)); }

 private:
  std::vector<Member> members_;
};

class GraphqlParser {
 protected:
  GraphqlParser(BuiltinContext& context, std::string_view text)
      : context_(context), lexer_(text), next_(lexer_.Next()) {}

  static Value Text(std::string_view text) { return Value::String(text); }
  static void AddPart(std::vector<Member>& members, std::string_view key,
                      std::vector<Value> items) {
    if (!items.empty()) members.push_back({Text(key), Value::Array(std::move(items))});
  }

  bool Is(std::string_view kind) const { return next_.kind == kind; }
  bool IsWord(std::string_view word) const { return Is("Name") && next_.value == word; }
  static Error At(const GraphqlToken& token, const std::string& text);
  static Error Unexpected(const GraphqlToken& token);
  Error Expected(std::string_view what) const;

  Result<GraphqlToken> Take();
  Result<GraphqlToken> Expect(std::string_view kind);
  Result<bool> Skip(std::string_view kind);
  Result<void> Word(std::string_view word);
  Result<std::string> Name();

  // open part* close, if open comes next. Part: Result<Value>().
  template <typename Part>
  Result<std::vector<Value>> Many(std::string_view open, std::string_view close, Part part,
                                  bool may_be_empty = false) {
    std::vector<Value> parts;
    const bool opened = TRY(Skip(open));
    if (!opened) return parts;
    if (++depth_ > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL text nested too deep");
    }
    while (!Is(close))
      parts.push_back(TRY(part()));
    if (parts.empty() && !may_be_empty) {
      return At(next_, "expected at least one definition, found " + std::string(next_.kind));
    }
    TRY(Take());
    --depth_;
    return parts;
  }

  Result<std::string> OperationType();
  Result<Value> NamedLiteral(bool constant);  // An argument.
  Result<Value> ListItem(bool constant);
  Result<Value> Literal(bool constant);
  Result<Value> Type();
  Result<std::vector<Value>> Directives(bool constant);

  const GraphqlToken& next() const { return next_; }

 private:
  BuiltinContext& context_;
  GraphqlLexer lexer_;
  GraphqlToken next_;
  std::size_t depth_ = 0;
};

}  // namespace kata_cc::policy
