// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/graphql_parser.h"

#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

std::string Shown(const GraphqlToken& token) {
  std::string out(token.kind);
  if (!token.value.empty()) out += " " + GoQuote(token.value);
  return out;
}

}  // namespace

Error GraphqlParser::At(const GraphqlToken& token, const std::string& text) {
  return BuiltinError(text + " in GraphQL string at location " + std::to_string(token.line) + ":" +
                      std::to_string(token.column));
}

Error GraphqlParser::Unexpected(const GraphqlToken& token) {
  return At(token, "Unexpected " + Shown(token));
}

Error GraphqlParser::Expected(std::string_view what) const {
  if (Is("<Invalid>")) return Unexpected(next_);
  return At(next_, "Expected " + std::string(what) + ", found " + std::string(next_.kind));
}

Result<GraphqlToken> GraphqlParser::Take() {
  TRY(context_.Charge(2, sizeof(Member) * 4 + next_.value.size()));
  GraphqlToken taken = std::move(next_);
  next_ = lexer_.Next();
  return taken;
}

Result<GraphqlToken> GraphqlParser::Expect(std::string_view kind) {
  if (!Is(kind)) return Expected(kind);
  return Take();
}

Result<bool> GraphqlParser::Skip(std::string_view kind) {
  if (!Is(kind)) return false;
  TRY(Take());
  return true;
}

Result<void> GraphqlParser::Word(std::string_view word) {
  if (!IsWord(word)) {
    return At(next_, "Expected " + GoQuote(word) + ", found " + Shown(next_));
  }
  TRY(Take());
  return {};
}

Result<std::string> GraphqlParser::Name() {
  GraphqlToken token = TRY(Expect("Name"));
  return std::move(token.value);
}

Result<std::string> GraphqlParser::OperationType() {
  if (IsWord("query") || IsWord("mutation") || IsWord("subscription")) return Name();
  return Unexpected(next_);
}

Result<Value> GraphqlParser::NamedLiteral(bool constant) {
  GraphqlNode node(next_);
  node.Add("Name", Text(TRY(Name())));
  TRY(Expect(":"));
  node.Add("Value", TRY(Literal(constant)));
  return node.Done();
}

Result<Value> GraphqlParser::ListItem(bool constant) {
  GraphqlNode node(next_);
  node.Add("Name", Text(""));
  node.Add("Value", TRY(Literal(constant)));
  return node.Done();
}

Result<Value> GraphqlParser::Literal(bool constant) {
  GraphqlNode node(next_);
  const auto finish = [&node](GraphqlKind kind, std::string_view raw) {
    node.Add("Kind", Value::Int(kind));
    node.Add("Raw", Text(raw));
    node.Add("ExpectedTypeHasDefault", Value::Bool(false));
    return node.Done();
  };
  if (Is("[")) {
    node.AddList("Children", TRY(Many(
                                 "[", "]", [this, constant] { return ListItem(constant); }, true)));
    return finish(kList, "");
  }
  if (Is("{")) {
    node.AddList("Children",
                 TRY(Many(
                     "{", "}", [this, constant] { return NamedLiteral(constant); }, true)));
    return finish(kObject, "");
  }
  if (Is("$")) {
    if (constant) return Unexpected(next_);
    TRY(Take());
    const std::string name = TRY(Name());
    return finish(kVariable, name);
  }
  constexpr std::pair<std::string_view, GraphqlKind> kKinds[] = {
      {"Int", kInt}, {"Float", kFloat}, {"String", kString}, {"BlockString", kBlock}};
  for (const auto& [token_kind, kind] : kKinds) {
    if (!Is(token_kind)) continue;
    const GraphqlToken token = TRY(Take());
    return finish(kind, token.value);
  }
  if (!Is("Name")) return Unexpected(next_);
  const std::string word = TRY(Name());
  const std::string_view text = word;  // g++ 12 misreads the string's comparisons.
  const bool boolean = text == "true" || text == "false";
  return finish(boolean ? kBool : text == "null" ? kNull : kEnum, text);
}

Result<Value> GraphqlParser::Type() {
  GraphqlNode node(next_);
  const bool list = TRY(Skip("["));
  if (list) {
    if (++depth_ > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL text nested too deep");
    }
    node.Add("NamedType", Text(""));
    node.Add("Elem", TRY(Type()));
    TRY(Expect("]"));
    --depth_;
  } else {
    node.Add("NamedType", Text(TRY(Name())));
  }
  node.Add("NonNull", Value::Bool(TRY(Skip("!"))));
  return node.Done();
}

Result<std::vector<Value>> GraphqlParser::Directives(bool constant) {
  std::vector<Value> out;
  while (Is("@")) {
    TRY(Take());
    GraphqlNode node(next_);
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Arguments",
                 TRY(Many("(", ")", [this, constant] { return NamedLiteral(constant); })));
    node.Add("Location", Text(""));
    out.push_back(node.Done());
  }
  return out;
}

Value PruneGraphql(const Value& node) {
  if (node.is_array()) {
    std::vector<Value> items;
    for (const Value& item : node.items())
      items.push_back(PruneGraphql(item));
    return Value::Array(std::move(items));
  }
  if (!node.is_object()) return node;
  std::vector<Member> members;
  for (const Member& member : node.members()) {
    if (member.key.is_string() && member.key.string() == "Position") continue;
    members.push_back({member.key, PruneGraphql(member.value)});
  }
  return Value::SortedObject(std::move(members));
}

std::string_view TypeName(const Value& type) {
  const Value* at = &type;
  for (std::size_t depth = 0; depth < kMaxGraphqlDepth && at->is_object(); ++depth) {
    if (const std::string_view name = NodeText(*at, "NamedType"); !name.empty()) return name;
    at = &NodeAt(*at, "Elem");
  }
  return {};
}

std::string TypeText(const Value& type) {
  std::string out(NodeText(type, "NamedType"));
  if (out.empty() && NodeAt(type, "Elem").is_object()) {
    out = "[" + TypeText(NodeAt(type, "Elem")) + "]";
  }
  return NodeFlag(type, "NonNull") ? out + "!" : out;
}

Error GraphqlError(const Value& node, const std::string& text) {
  const auto position = NodeList(node, "Position");
  if (position.size() != 2 || !position[0].is_number() || !position[1].is_number()) {
    return BuiltinError(text);
  }
  return BuiltinError(text + " in GraphQL string at location " + position[0].NumberText() + ":" +
                      position[1].NumberText());
}

}  // namespace kata_cc::policy
