// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <optional>

#include "policy/engine/builtins/graphql_parser.h"

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

class SchemaParser : private GraphqlParser {
 public:
  SchemaParser(BuiltinContext& context, std::string_view text) : GraphqlParser(context, text) {}

  Result<Value> Schema() {
    std::vector<Value> schemas, schema_extensions, directives, definitions, extensions;
    while (!Is("<EOF>")) {
      std::optional<GraphqlToken> description;
      if (Is("String") || Is("BlockString")) description = TRY(Take());
      if (!Is("Name")) return Unexpected(next());
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
  Result<std::string> Description() {
    if (!Is("String") && !Is("BlockString")) return std::string();
    GraphqlToken token = TRY(Take());
    return std::move(token.value);
  }

  Result<Value> SchemaDefinition(std::string_view description, bool extension) {
    GraphqlNode node(next());
    TRY(Word("schema"));
    node.Add("Description", Text(description));
    auto directives = TRY(Directives(true));
    if (!extension && !Is("{")) return Expected("{");
    auto operations = TRY(Many("{", "}", [this] { return RootOperation(); }));
    if (directives.empty() && operations.empty()) return Unexpected(next());
    node.AddList("Directives", std::move(directives));
    node.AddList("OperationTypes", std::move(operations));
    return node.Done();
  }

  Result<Value> RootOperation() {
    GraphqlNode node(next());
    node.Add("Operation", Text(TRY(OperationType())));
    TRY(Expect(":"));
    node.Add("Type", Text(TRY(Name())));
    return node.Done();
  }

  Result<Value> DirectiveDefinition(std::string_view description) {
    TRY(Word("directive"));
    TRY(Expect("@"));
    GraphqlNode node(next());
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Arguments", TRY(Many("(", ")", [this] { return ArgumentDefinition(); })));
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
    if (kind.empty()) return Unexpected(next());
    TRY(Take());
    GraphqlNode node(next());
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
      add("Fields", TRY(Many("{", "}", [this] { return FieldDefinition(); })));
    } else if (kind == "UNION") {
      add("Types", TRY(UnionTypes()));
    } else if (kind == "ENUM") {
      add("EnumValues", TRY(Many("{", "}", [this] { return EnumValue(); })));
    } else if (kind == "INPUT_OBJECT") {
      add("Fields", TRY(Many("{", "}", [this] { return ArgumentDefinition(); })));
    }
    if (extension && !any) return Unexpected(next());
    return node.Done();
  }

  Result<Value> FieldDefinition() {
    const std::string description = TRY(Description());
    GraphqlNode node(next());
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Arguments", TRY(Many("(", ")", [this] { return ArgumentDefinition(); })));
    TRY(Expect(":"));
    node.Add("Type", TRY(Type()));
    node.AddList("Directives", TRY(Directives(true)));
    return node.Done();
  }

  // An argument, or a field of an input.
  Result<Value> ArgumentDefinition() {
    const std::string description = TRY(Description());
    GraphqlNode node(next());
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
    GraphqlNode node(next());
    node.Add("Description", Text(description));
    node.Add("Name", Text(TRY(Name())));
    node.AddList("Directives", TRY(Directives(true)));
    return node.Done();
  }
};

}  // namespace

Result<Value> ParseGraphqlSchema(BuiltinContext& context, std::string_view text) {
  return SchemaParser(context, text).Schema();
}

}  // namespace kata_cc::policy
