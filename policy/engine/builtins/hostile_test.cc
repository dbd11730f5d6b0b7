// SPDX-License-Identifier: Apache-2.0
// Operands of odd shapes and sizes: an error, or a limit, in bounded time and memory.
#include "policy/engine/builtins/testing.h"
#include "policy/engine/builtins/time_layout.h"

namespace kata_cc::policy::testing {
namespace {

void Expect(const std::vector<Row>& rows) {
  ExpectRows(DefaultFamilies(), rows);
}

std::string Repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += text;
  return out;
}

std::string CallWith(std::string_view name, const std::vector<std::string>& operands) {
  std::vector<Value> values;
  for (const std::string& operand : operands)
    values.push_back(Value::String(operand));
  return Call(DefaultFamilies(), name, ToJsonText(Value::Array(std::move(values))));
}

TEST(HostileTimeTest, TheEndsOfTheRangeAreTimes) {
  Expect({{"time.date", "[-9223372036854775808]", "[1677, 9, 21]"},
          {"time.clock", "[9223372036854775807]", "[23, 47, 16]"},
          {"time.add_date", "[-9223372036854775808, 0, 0, -1]",
           "error: time outside of valid range"}});
}

TEST(HostileTimeTest, ZonesWithImpossibleOffsets) {
  // One kind of local time, no transitions; its offset in bytes 44 to 47.
  std::string zone = "TZif" + std::string(40, '\0');
  zone[39] = 1;
  zone[43] = 4;
  zone += std::string(6, '\0') + std::string("LMT\0", 4);
  ASSERT_TRUE(TimeZone::ParseTzif(zone));
  zone[44] = '\x80';
  EXPECT_FALSE(TimeZone::ParseTzif(zone));
  for (std::size_t size = 0; size < zone.size(); ++size)
    EXPECT_FALSE(TimeZone::ParseTzif(std::string_view(zone).substr(0, size))) << size;
}

TEST(HostileStringsTest, FormatsThatRepeatAnArgument) {
  const std::string format = Repeat("%[1]s", 10'000);
  EXPECT_EQ(Call(DefaultFamilies(), "sprintf",
                 "[\"" + format + "\", [\"" + std::string(100'000, 'x') + "\"]]"),
            "limit: limit");
}

TEST(HostileStringsTest, SearchesTakeLinearTime) {
  // Of quadratic ones each would take minutes.
  const std::string text(2'000'000, 'a');
  const std::string part = std::string(1'000'000, 'a') + "b";
  EXPECT_EQ(CallWith("contains", {text, part}), "false");
  EXPECT_EQ(CallWith("indexof", {text, part}), "-1");
  EXPECT_EQ(CallWith("indexof_n", {text, part}), "[]");
  EXPECT_EQ(CallWith("strings.count", {text, part}), "0");
  EXPECT_EQ(CallWith("split", {text, part}).size(), text.size() + 4);
  EXPECT_EQ(
      Call(DefaultFamilies(), "strings.replace_n", "[{\"" + part + "\": \"\"}, \"" + text + "\"]"),
      "limit: limit");
}

TEST(HostileStringsTest, MatchesThatLookAtAllTheRest) {
  const std::string text(1'000'000, 'x');
  EXPECT_EQ(Call(DefaultFamilies(), "regex.find_n", "[\"x.*y|x\", \"" + text + "\", -1]"),
            "limit: limit");
  Expect({{"regex.find_n", R"(["a", "aa", -9223372036854775808])", R"(["a", "a"])"}});
}

TEST(HostileStringsTest, ReplacementsThatRepeatTheMatch) {
  EXPECT_EQ(CallWith("regex.replace", {std::string(100'000, 'x'), "x*", Repeat("$0", 10'000)}),
            "limit: limit");
}

TEST(HostileStringsTest, GlobsWithManySeparators) {
  std::string separators = "\".\"";
  for (int i = 0; i < 10'000; ++i)
    separators += ",\".\"";
  EXPECT_EQ(Call(DefaultFamilies(), "glob.match",
                 "[\"" + Repeat("?", 10'000) + "\", [" + separators + "], \"x\"]"),
            "limit: limit");
}

TEST(HostileGraphTest, NodesThatShareTheirNeighbours) {
  std::vector<Value> neighbours;
  for (int i = 0; i < 20'000; ++i)
    neighbours.push_back(Value::Int(i));
  const Value edges = Value::Array(std::move(neighbours));
  std::vector<Member> nodes;
  for (int i = 0; i < 20'000; ++i)
    nodes.push_back({Value::Int(i), edges});
  const std::vector<Value> operands = {Value::Object(std::move(nodes)),
                                       Value::Array({Value::Int(0)})};
  TestContext context;
  const auto result =
      FindBuiltin(DefaultFamilies(), "graph.reachable")->function(context, operands);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kResourceExhausted);
}

TEST(HostileJsonTest, PatchesThatNestWithoutEnd) {
  const std::string copy = R"({"op": "copy", "from": "", "path": "/a"})";
  EXPECT_EQ(
      Call(DefaultFamilies(), "json.patch", "[{}, [" + copy + Repeat("," + copy, 20'000) + "]]"),
      "limit: document too large");
}

TEST(HostileJsonTest, IndentedTextOfDeepDocuments) {
  const std::string deep = Repeat("[", 100) + Repeat("]", 100);
  const std::string text =
      Call(DefaultFamilies(), "json.marshal_with_options", "[" + deep + R"(, {"indent": " "}])");
  EXPECT_EQ(text.substr(0, 8), "\"[\\n [\\n");
}

TEST(HostileSchemaTest, OddShapes) {
  Expect({
      // What a reference leads to is checked, too.
      {"json.match_schema", R"([{}, {"$ref": "#/x", "x": 5}])", "error: Expected: Valid Schema..."},
      {"json.match_schema", R"([{}, {"$ref": "#/x", "x": {"type": 5}}])", "error: Invalid type..."},
      {"json.match_schema", R"([{}, {"$ref": "#/x", "x": {"$ref": "#/x"}}])", "limit: ..."},
      {"json.match_schema", R"([{"a": {"$set": [1]}}, {"properties": {"a": {"type": "array"}}}])",
       "[true, []]"},
  });
  const Value odd = Value::Object({{Value::Int(1), Value::SortedObject({})}});
  const Value schema = Value::Object({{Value::String("patternProperties"), odd}});
  TestContext context;
  const std::vector<Value> operands = {odd, schema};
  const auto result =
      FindBuiltin(DefaultFamilies(), "json.match_schema")->function(context, operands);
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(ToTermText(**result), "[true, []]");
}

TEST(HostileSchemaTest, ErrorsThatRepeatALongList) {
  std::string words = "\"a0\"";
  for (int i = 1; i < 5'000; ++i)
    words += ",\"a" + std::to_string(i) + "\"";
  EXPECT_EQ(Call(DefaultFamilies(), "json.match_schema",
                 "[{\"x\": [1" + Repeat(",1", 10'000) +
                     "]}, {\"properties\": {\"x\": {\"items\": {\"enum\": [" + words + "]}}}}]"),
            "limit: limit");
}

TEST(HostileGraphqlTest, DocumentsOfOddShapes) {
  Expect(
      {{"graphql.schema_is_valid", R"([{"Extensions": [1]}])", "false"},
       {"graphql.schema_is_valid", R"([{"Definitions": [{"Fields": [null]}]}])", "false"},
       {"graphql.schema_is_valid", R"([{"Definitions": [{"Interfaces": [1]}]}])", "false"},
       {"graphql.is_valid",
        R"([{"Operations": [{"Operation": "query", "SelectionSet": [1]}]}, "type Query {a: Int}"])",
        "false"},
       {"graphql.is_valid",
        R"([{"Operations": [{"Operation": "query", "Name": "q", "Position": ["x", {}]}]}, "type A {a: Int}"])",
        "false"},
       // A variable without a type, used where one has a default.
       {"graphql.is_valid",
        R"([{"Operations": [{"Operation": "query", "VariableDefinitions": [{"Variable": "v"}],
                "SelectionSet": [{"Alias": "a", "Name": "a", "Arguments": [
                  {"Name": "x", "Value": {"Kind": 0, "Raw": "v"}}]}]}]},
               "type Query {a(x: Int = 1): Int}"])",
        "false"}});
}

TEST(HostileGraphqlTest, ManyWaysThroughInputsAreWalkedOnce) {
  // Each needs the next one twice: 2^60 paths.
  std::string schema = "type Query {a(x: I0): Int} ";
  for (int i = 0; i < 60; ++i) {
    const std::string next = std::to_string(i + 1);
    schema += "input I" + std::to_string(i) + " {a: I" + next + "! b: I" + next + "!} ";
  }
  EXPECT_EQ(CallWith("graphql.schema_is_valid", {schema + "input I60 {a: Int}"}), "true");
  EXPECT_EQ(CallWith("graphql.schema_is_valid", {schema + "input I60 {a: I59!}"}), "false");
}

TEST(HostileGraphqlTest, ManyFieldsOfOneName) {
  std::string query = "{";
  for (int i = 0; i < 5'000; ++i)
    query += "a: f" + std::to_string(i) + " ";
  EXPECT_EQ(CallWith("graphql.is_valid", {query + "}", "type Query {f0: Int}"}), "false");
  EXPECT_EQ(CallWith("graphql.is_valid", {"{" + Repeat("a ", 5'000) + "}", "type Query {a: Int}"}),
            "limit: limit");
}

TEST(HostileTemplateTest, LongChains) {
  EXPECT_EQ(CallWith("strings.render_template", {"", ""}).substr(0, 10), "type error");
  const auto render = [](const std::string& text) {
    return Call(DefaultFamilies(), "strings.render_template",
                ToJsonText(Value::Array({Value::String(text), Value::SortedObject({})})));
  };
  EXPECT_EQ(render("{{if .a}}" + Repeat("{{else if .a}}", 100'000) + "{{end}}"),
            "error: template: template:1: nested too deep");
  EXPECT_EQ(render("{{print " + Repeat("(", 100'000)),
            "error: template: template:1: unclosed action");
  EXPECT_EQ(render("{{print " + Repeat("(", 100'000) + "}}"),
            "error: template: template:1: nested too deep");
  // Half a character is none.
  EXPECT_EQ(render("{{slice \"\xc3\xa9\" 1}}"), "\"\xef\xbf\xbd\"");
}

TEST(HostileTemplateTest, ArgumentsThatRepeatADocument) {
  const std::string big(100'000, 'x');
  EXPECT_EQ(Call(DefaultFamilies(), "strings.render_template",
                 "[\"{{print" + Repeat(" .a", 10'000) + "}}\", {\"a\": \"" + big + "\"}]"),
            "limit: limit");
}

}  // namespace
}  // namespace kata_cc::policy::testing
