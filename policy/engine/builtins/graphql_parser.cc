// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "policy/engine/builtins/graphql_ast.h"
#include "policy/engine/builtins/graphql_lexer.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

constexpr std::array<std::string_view, 19> kLocations = {"QUERY",
                                                         "MUTATION",
                                                         "SUBSCRIPTION",
                                                         "FIELD",
                                                         "FRAGMENT_DEFINITION",
                                                         "FRAGMENT_SPREAD",
                                                         "INLINE_FRAGMENT",
                                                         "SCHEMA",
                                                         "SCALAR",
                                                         "OBJECT",
                                                         "FIELD_DEFINITION",
                                                         "ARGUMENT_DEFINITION",
                                                         "INTERFACE",
                                                         "UNION",
                                                         "ENUM",
                                                         "ENUM_VALUE",
                                                         "INPUT_OBJECT",
                                                         "INPUT_FIELD_DEFINITION",
                                                         "VARIABLE_DEFINITION"};

Value Text(std::string_view text) {
  return Value::String(text);
}

// One node under construction.
class Node {
 public:
  explicit Node(const GraphqlToken& token) {
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
 public:
  GraphqlParser(BuiltinContext& context, std::string_view text) : context_(context), lexer_(text) {
    next_ = lexer_.Next();
  }

  Result<Value> Query() {
    std::vector<Value> operations, fragments;
    while (!Is("<EOF>")) {
      if (Is("{") || IsWord("query") || IsWord("mutation") || IsWord("subscription")) {
        operations.push_back(TRY(Operation()));
      } else if (IsWord("fragment")) {
        fragments.push_back(TRY(Fragment()));
      } else {
        return Unexpected(next_);
      }
    }
    std::vector<Member> members;
    AddPart(members, "Operations", std::move(operations));
    AddPart(members, "Fragments", std::move(fragments));
    return Value::Object(std::move(members));
  }

  Result<Value> Schema() {
    std::vector<Value> schemas, schema_extensions, directives, definitions, extensions;
    while (!Is("<EOF>")) {
      std::optional<GraphqlToken> description;
      if (Is("String") || Is("BlockString")) description = TRY(Take());
      if (!Is("Name")) return Unexpected(next_);
      const std::string text = description ? description->value : "";
      if (IsWord("schema")) {
        schemas.push_back(TRY(SchemaDefinition(text, false)));
      } else if (IsWord("directive")) {
        directives.push_back(TRY(DirectiveDefinition(text)));
      } else if (IsWord("extend")) {
        if (description) return Unexpected(*description);
        TRY(Take());
        if (IsWord("schema")) {
          schema_extensions.push_back(TRY(SchemaDefinition("", true)));
        } else {
          extensions.push_back(TRY(Definition("", true)));
        }
      } else {
        definitions.push_back(TRY(Definition(text, false)));
      }
    }
    std::vector<Member> members;
    AddPart(members, "Schema", std::move(schemas));
    AddPart(members, "SchemaExtension", std::move(schema_extensions));
    AddPart(members, "Directives", std::move(directives));
    AddPart(members, "Definitions", std::move(definitions));
    AddPart(members, "Extensions", std::move(extensions));
    return Value::Object(std::move(members));
  }

 private:
  static void AddPart(std::vector<Member>& members, std::string_view key,
                      std::vector<Value> items) {
    if (!items.empty()) members.push_back({Text(key), Value::Array(std::move(items))});
  }

  bool Is(std::string_view kind) const { return next_.kind == kind; }
  bool IsWord(std::string_view word) const { return Is("Name") && next_.value == word; }

  static Error At(const GraphqlToken& token, const std::string& text) {
    return BuiltinError(text + " in GraphQL string at location " + std::to_string(token.line) +
                        ":" + std::to_string(token.column));
  }
  static std::string Shown(const GraphqlToken& token) {
    std::string out(token.kind);
    if (!token.value.empty()) out += " " + GoQuote(token.value);
    return out;
  }
  static Error Unexpected(const GraphqlToken& token) {
    return At(token, "Unexpected " + Shown(token));
  }
  Error Expected(std::string_view what) const {
    if (Is("<Invalid>")) return Unexpected(next_);
    return At(next_, "Expected " + std::string(what) + ", found " + std::string(next_.kind));
  }

  Result<GraphqlToken> Take() {
    TRY(context_.Charge(2, sizeof(Member) * 4 + next_.value.size()));
    GraphqlToken taken = std::move(next_);
    next_ = lexer_.Next();
    return taken;
  }
  Result<GraphqlToken> Expect(std::string_view kind) {
    if (!Is(kind)) return Expected(kind);
    return Take();
  }
  Result<bool> Skip(std::string_view kind) {
    if (!Is(kind)) return false;
    TRY(Take());
    return true;
  }
  Result<void> Word(std::string_view word) {
    if (!IsWord(word)) {
      return At(next_, "Expected " + GoQuote(word) + ", found " + Shown(next_));
    }
    TRY(Take());
    return {};
  }
  Result<std::string> Name() {
    GraphqlToken token = TRY(Expect("Name"));
    return std::move(token.value);
  }

  using Part = Result<Value> (GraphqlParser::*)();

  // open part* close, if open comes next.
  Result<std::vector<Value>> Many(std::string_view open, std::string_view close, Part part,
                                  bool may_be_empty = false) {
    std::vector<Value> parts;
    const bool opened = TRY(Skip(open));
    if (!opened) return parts;
    if (++depth_ > kMaxGraphqlDepth) {
      return Error(Code::kResourceExhausted, "GraphQL text nested too deep");
    }
    while (!Is(close))
      parts.push_back(TRY((this->*part)()));
    if (parts.empty() && !may_be_empty) {
      return At(next_, "expected at least one definition, found " + std::string(next_.kind));
    }
    TRY(Take());
    --depth_;
    return parts;
  }

  Result<std::string> OperationType() {
    if (IsWord("query") || IsWord("mutation") || IsWord("subscription")) return Name();
    return Unexpected(next_);
  }

  Result<Value> Operation() {
    Node node(next_);
    std::string type = "query", name;
    if (!Is("{")) {
      type = TRY(OperationType());
      if (Is("Name")) name = TRY(Name());
      node.AddList("VariableDefinitions", TRY(Many("(", ")", &GraphqlParser::Variable)));
      node.AddList("Directives", TRY(Directives(false)));
    }
    node.Add("Operation", Text(type));
    node.Add("Name", Text(name));
    node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }

  Result<std::vector<Value>> RequiredSelections() {
    if (!Is("{")) return Expected("{");
    return Many("{", "}", &GraphqlParser::Selection);
  }

  Result<Value> Variable() {
    Node node(next_);
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
    Node node(next_);
    std::string alias = TRY(Name());
    std::string name = alias;
    const bool aliased = TRY(Skip(":"));
    if (aliased) name = TRY(Name());
    node.Add("Alias", Text(alias));
    node.Add("Name", Text(name));
    node.AddList("Arguments", TRY(Many("(", ")", &GraphqlParser::Argument)));
    node.AddList("Directives", TRY(Directives(false)));
    if (Is("{")) node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }

  Result<Value> Spread() {
    TRY(Expect("..."));
    Node node(next_);
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
    Node node(next_);
    TRY(Word("fragment"));
    if (IsWord("on")) return Unexpected(next_);
    node.Add("Name", Text(TRY(Name())));
    node.AddList("VariableDefinition", TRY(Many("(", ")", &GraphqlParser::Variable)));
    TRY(Word("on"));
    node.Add("TypeCondition", Text(TRY(Name())));
    node.AddList("Directives", TRY(Directives(false)));
    node.AddList("SelectionSet", TRY(RequiredSelections()));
    return node.Done();
  }

  Result<Value> NamedLiteral(bool constant) {
    Node node(next_);
    node.Add("Name", Text(TRY(Name())));
    TRY(Expect(":"));
    node.Add("Value", TRY(Literal(constant)));
    return node.Done();
  }
  Result<Value> Argument() { return NamedLiteral(false); }
  Result<Value> ConstantArgument() { return NamedLiteral(true); }

  Result<Value> ListItem(bool constant) {
    Node node(next_);
    node.Add("Name", Text(""));
    node.Add("Value", TRY(Literal(constant)));
    return node.Done();
  }
  Result<Value> Item() { return ListItem(false); }
  Result<Value> ConstantItem() { return ListItem(true); }

  Result<Value> Literal(bool constant) {
    Node node(next_);
    const auto finish = [&node](GraphqlKind kind, std::string_view raw) {
      node.Add("Kind", Value::Int(kind));
      node.Add("Raw", Text(raw));
      node.Add("ExpectedTypeHasDefault", Value::Bool(false));
      return node.Done();
    };
    if (Is("[")) {
      node.AddList("Children",
                   TRY(Many("[", "]",
                            constant ? &GraphqlParser::ConstantItem : &GraphqlParser::Item, true)));
      return finish(kList, "");
    }
    if (Is("{")) {
      node.AddList(
          "Children",
          TRY(Many("{", "}", constant ? &GraphqlParser::ConstantArgument : &GraphqlParser::Argument,
                   true)));
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
    const bool boolean = word == "true" || word == "false";
    return finish(boolean ? kBool : word == "null" ? kNull : kEnum, word);
  }

  Result<Value> Type() {
    Node node(next_);
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

  Result<std::vector<Value>> Directives(bool constant) {
    std::vector<Value> out;
    while (Is("@")) {
      TRY(Take());
      Node node(next_);
      node.Add("Name", Text(TRY(Name())));
      node.AddList("Arguments", TRY(Many("(", ")",
                                         constant ? &GraphqlParser::ConstantArgument
                                                  : &GraphqlParser::Argument)));
      node.Add("Location", Text(""));
      out.push_back(node.Done());
    }
    return out;
  }

  Result<std::string> Description() {
    if (!Is("String") && !Is("BlockString")) return std::string();
    GraphqlToken token = TRY(Take());
    return std::move(token.value);
  }

  Result<Value> SchemaDefinition(std::string_view description, bool extension) {
    Node node(next_);
    TRY(Word("schema"));
    node.Add("Description", Text(description));
    auto directives = TRY(Directives(true));
    if (!extension && !Is("{")) return Expected("{");
    auto operations = TRY(Many("{", "}", &GraphqlParser::RootOperation));
    if (directives.empty() && operations.empty()) return Unexpected(next_);
    node.AddList("Directives", std::move(directives));
    node.AddList("OperationTypes", std::move(operations));
    return node.Done();
  }

  Result<Value> RootOperation() {
    Node node(next_);
    node.Add("Operation", Text(TRY(OperationType())));
    TRY(Expect(":"));
    node.Add("Type", Text(TRY(Name())));
    return node.Done();
  }

  Result<Value> DirectiveDefinition(std::string_view description) {
    TRY(Word("directive"));
    TRY(Expect("@"));
    Node node(next_);
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Arguments", TRY(Many("(", ")", &GraphqlParser::ArgumentDefinition)));
    const bool repeatable = IsWord("repeatable");
    if (repeatable) TRY(Take());
    node.Add("IsRepeatable", Value::Bool(repeatable));
    TRY(Word("on"));
    TRY(Skip("|"));
    std::vector<Value> locations;
    while (true) {
      const GraphqlToken token = TRY(Expect("Name"));
      if (std::find(kLocations.begin(), kLocations.end(), token.value) == kLocations.end()) {
        return Unexpected(token);
      }
      locations.push_back(Text(token.value));
      const bool more = TRY(Skip("|"));
      if (!more) break;
    }
    node.AddList("Locations", std::move(locations));
    return node.Done();
  }

  Result<std::vector<Value>> Interfaces() {
    std::vector<Value> out;
    if (!IsWord("implements")) return out;
    TRY(Take());
    TRY(Skip("&"));
    while (true) {
      out.push_back(Text(TRY(Name())));
      const bool more = TRY(Skip("&"));
      if (!more) return out;
    }
  }

  Result<std::vector<Value>> UnionTypes() {
    std::vector<Value> out;
    const bool has_types = TRY(Skip("="));
    if (!has_types) return out;
    TRY(Skip("|"));
    while (true) {
      out.push_back(Text(TRY(Name())));
      const bool more = TRY(Skip("|"));
      if (!more) return out;
    }
  }

  // A type, or with `extension` what is added to one, which must be something.
  Result<Value> Definition(std::string_view description, bool extension) {
    constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
        {"scalar", "SCALAR"}, {"type", "OBJECT"}, {"interface", "INTERFACE"},
        {"union", "UNION"},   {"enum", "ENUM"},   {"input", "INPUT_OBJECT"}};
    std::string_view kind;
    for (const auto& [word, name] : kKinds) {
      if (IsWord(word)) kind = name;
    }
    if (kind.empty()) return Unexpected(next_);
    TRY(Take());
    Node node(next_);
    node.Add("Kind", Text(kind));
    node.Add("Description", Text(description));
    node.Add("BuiltIn", Value::Bool(false));
    node.Add("Name", Text(TRY(Name())));
    bool any = false;
    const auto add = [&](std::string_view key, std::vector<Value> items) {
      any = any || !items.empty();
      node.AddList(key, std::move(items));
    };
    if (kind == "OBJECT" || kind == "INTERFACE") add("Interfaces", TRY(Interfaces()));
    add("Directives", TRY(Directives(true)));
    if (kind == "OBJECT" || kind == "INTERFACE") {
      add("Fields", TRY(Many("{", "}", &GraphqlParser::FieldDefinition)));
    } else if (kind == "UNION") {
      add("Types", TRY(UnionTypes()));
    } else if (kind == "ENUM") {
      add("EnumValues", TRY(Many("{", "}", &GraphqlParser::EnumValue)));
    } else if (kind == "INPUT_OBJECT") {
      add("Fields", TRY(Many("{", "}", &GraphqlParser::ArgumentDefinition)));
    }
    if (extension && !any) return Unexpected(next_);
    return node.Done();
  }

  Result<Value> FieldDefinition() {
    const std::string description = TRY(Description());
    Node node(next_);
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Arguments", TRY(Many("(", ")", &GraphqlParser::ArgumentDefinition)));
    TRY(Expect(":"));
    node.Add("Type", TRY(Type()));
    node.AddList("Directives", TRY(Directives(true)));
    return node.Done();
  }

  // An argument, or a field of an input.
  Result<Value> ArgumentDefinition() {
    const std::string description = TRY(Description());
    Node node(next_);
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    TRY(Expect(":"));
    node.Add("Type", TRY(Type()));
    const bool has_default = TRY(Skip("="));
    if (has_default) node.Add("DefaultValue", TRY(Literal(true)));
    node.AddList("Directives", TRY(Directives(true)));
    return node.Done();
  }

  Result<Value> EnumValue() {
    const std::string description = TRY(Description());
    Node node(next_);
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Directives", TRY(Directives(true)));
    return node.Done();
  }

  BuiltinContext& context_;
  GraphqlLexer lexer_;
  GraphqlToken next_;
  std::size_t depth_ = 0;
};

}  // namespace

Result<Value> ParseGraphqlQuery(BuiltinContext& context, std::string_view text) {
  return GraphqlParser(context, text).Query();
}

Result<Value> ParseGraphqlSchema(BuiltinContext& context, std::string_view text) {
  return GraphqlParser(context, text).Schema();
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
  if (position.size() != 2) return BuiltinError(text);
  return BuiltinError(text + " in GraphQL string at location " + position[0].NumberText() + ":" +
                      position[1].NumberText());
}

}  // namespace kata_cc::policy
