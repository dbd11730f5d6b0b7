// SPDX-License-Identifier: Apache-2.0
// Networks, graphs, identifiers, times, schemas, GraphQL, templates, refused builtins.
#include "policy/engine/builtins/civil_time.h"
#include "policy/engine/builtins/testing.h"

namespace kata_cc::policy::testing {
namespace {

void Expect(const std::vector<Row>& rows) {
  ExpectRows(DefaultFamilies(), rows);
}

TEST(NetBuiltinsTest, ContainsAndExpand) {
  Expect({{"net.cidr_contains", R"(["2001:4860:4860::8888/32", "2001:4860:4860:1234::8888/40"])",
           "true"},
          {"net.cidr_contains", R"(["10.0.0.0/8", "::1"])", "false"},
          {"net.cidr_contains", R"(["not-a-cidr", "1.1.1.1"])",
           "error: invalid CIDR address: not-a-cidr"},
          {"net.cidr_intersects", R"(["192.168.1.0/25", "192.168.1.64/25"])", "true"},
          {"net.cidr_is_valid", R"(["010.0.0.1/8"])", "false"},
          {"net.cidr_expand", R"(["192.168.1.1/30"])",
           R"({"192.168.1.0", "192.168.1.1", "192.168.1.2", "192.168.1.3"})"},
          {"net.cidr_expand", R"(["0.0.0.0/0"])", "limit: limit"},
          {"net.cidr_expand", R"(["::/0"])", "limit: network of too many addresses"},
          {"net.cidr_contains_matches",
           R"([[["1.1.2.0/24", 1], "1.1.1.0/24"], ["1.1.1.1", "1.1.2.1"]])", "{[0, 1], [1, 0]}"},
          {"net.cidr_contains_matches", R"([{"$set": [1]}, "1.1.1.1"])",
           "error: operand 1: element must be string or non-empty array"}});
}

TEST(NetBuiltinsTest, Merge) {
  Expect({{"net.cidr_merge", R"([["192.0.2.112/31", "192.0.2.116/31", "192.0.2.118/31"]])",
           R"({"192.0.2.112/31", "192.0.2.116/30"})"},
          {"net.cidr_merge",
           R"([["fe80::/120", "192.0.2.0/24", "192.0.3.0/24", "192.0.4.0/25", "192.0.4.128/25"]])",
           R"({"192.0.2.0/23", "192.0.4.0/24", "fe80::/120"})"},
          {"net.cidr_merge", R"([["192.168.1.1"]])", R"({"192.168.1.1/24"})"},
          {"net.cidr_merge", R"([["::/0", "fe80::1/128"]])", R"({"::/0"})"},
          {"net.cidr_merge", R"([["fe80::1"]])", "error: IPv6 invalid: needs prefix length"}});
}

TEST(GraphBuiltinsTest, ReachableAndPaths) {
  Expect({{"graph.reachable", R"([{"a": ["b"], "b": ["a"], "c": []}, ["a"]])", R"({"a", "b"})"},
          {"graph.reachable", R"([1, [1]])", "type error: operand 1 must be object but got number"},
          {"graph.reachable_paths", R"([{"a": ["b", "c"], "b": ["c"], "c": []}, ["a"]])",
           R"({["a", "b", "c"], ["a", "c"]})"},
          {"graph.reachable_paths", R"([{"a": null}, ["a"]])", R"({["a"]})"}});
}

TEST(IdentityBuiltinsTest, Uuids) {
  Expect(
      {{"uuid.parse", R"(["{c232ab00-9414-11ec-b3c8-9f68deced846}"])",
        R"({"clocksequence": 13256, "macvariables": "local:multicast", "nodeid": "9f-68-de-ce-d8-46", "time": 1645557742000000000, "variant": "RFC4122", "version": 1})"},
       {"uuid.parse", R"(["000003e8-c22b-21ec-8001-325096b39f47"])",
        R"({"clocksequence": 1, "domain": "Group", "id": 1000, "macvariables": "local:unicast", "nodeid": "32-50-96-b3-9f-47", "time": 1650625048102602400, "variant": "RFC4122", "version": 2})"},
       {"uuid.parse", R"(["6bea8ef2d3d33cd184e09bab06a52ece"])",
        R"({"variant": "RFC4122", "version": 3})"},
       {"uuid.parse", R"(["zz"])", "undefined"},
       {"uri.parse", R"(["https://u:p@h:80/%41?q#f"])",
        R"({"fragment": "f", "hostname": "h", "path": "/A", "port": "80", "raw_path": "/%41", "raw_query": "q", "scheme": "https"})"},
       {"uri.parse", R"(["://"])", R"(error: parse "://": missing protocol scheme)"},
       {"uri.is_valid", R"(["%zz"])", "false"}});
}

TEST(TimeBuiltinsTest, ParseAndFormat) {
  Expect(
      {{"time.parse_rfc3339_ns", R"(["2017-06-02T19:00:00-07:00"])", "1496455200000000000"},
       {"time.parse_rfc3339_ns", R"(["1677-09-21T00:12:43.145224192-00:00"])",
        "-9223372036854775808"},
       {"time.parse_rfc3339_ns", R"(["2262-04-11T23:47:16.854775808-00:00"])",
        "error: time outside of valid range"},
       {"time.parse_rfc3339_ns", R"(["2017-02-30T00:00:00Z"])",
        R"(error: parsing time "2017-02-30T00:00:00Z": day out of range)"},
       {"time.parse_rfc3339_ns", R"(["x"])",
        R"(error: parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006")"},
       {"time.parse_ns", R"(["RFC1123Z", "Sat, 03 Dec 2022 00:10:53 +0530"])",
        "1670006453000000000"},
       {"time.parse_ns", R"(["Jan _2 3:04PM 2006", "Feb  5 7:00AM 2018"])", "1517814000000000000"},
       {"time.parse_duration_ns", R"(["1h15m30.918s"])", "4530918000000"},
       {"time.parse_duration_ns", R"(["1x"])", R"(error: time: unknown unit "x" in duration "1x")"},
       {"time.format", "[1670006453141828752]", R"("2022-12-02T18:40:53.141828752Z")"},
       {"time.format", R"([[1670006453141828752, "UTC", "Mon Jan 02 15:04:05 -0700 2006"]])",
        R"("Fri Dec 02 18:40:53 +0000 2022")"},
       {"time.format", R"([[0, "No/Such_Zone"]])", "error: unknown time zone No/Such_Zone"},
       {"time.format", R"([[0, "Asia/"]])", "error: unknown time zone Asia/"},
       {"time.format", R"([[0, "../../etc/passwd"]])", "error: unknown time zone..."}});
}

TEST(TimeBuiltinsTest, Calendar) {
  Expect({{"time.date", "[1517814000000000000]", "[2018, 2, 5]"},
          {"time.date", "[1582977600000000000000]", "error: timestamp too big"},
          {"time.clock", "[[1517832000000000000, \"\"]]", "[12, 0, 0]"},
          {"time.weekday", "[1517918400000000000]", R"("Tuesday")"},
          {"time.add_date", "[0, 2262, 1, 1]", "error: time outside of valid range"},
          {"time.add_date", "[1517814000000000000, 1, -3, 40]", "1544857200000000000"},
          {"time.diff", "[0, 31535999000000000]", "[0, 11, 30, 23, 59, 59]"},
          {"time.now_ns", "[]", "1700000000000000000"}});
}

TEST(TimeZoneTest, FooterRulesGoOnForEver) {
  // A version 2 file of one type, with a footer of New York's rules.
  const auto header = [](int types, int chars) {
    std::string out = "TZif2" + std::string(15 + 16, '\0');
    out += std::string("\0\0\0", 3) + static_cast<char>(types);
    return out + std::string("\0\0\0", 3) + static_cast<char>(chars);
  };
  std::string file = header(1, 4) + std::string("\xff\xff\xb9\xb0\0\0EST\0", 10);
  file += header(1, 4) + std::string("\xff\xff\xb9\xb0\0\0EST\0", 10);
  file += "\nEST5EDT,M3.2.0,M11.1.0\n";
  const auto zone = TimeZone::ParseTzif(file);
  ASSERT_TRUE(zone.has_value()) << zone.error().message();
  EXPECT_EQ(zone->At(1753000000).seconds_east, -4 * 3600);  // July 2025
  EXPECT_EQ(zone->At(1737000000).seconds_east, -5 * 3600);  // January 2025
  EXPECT_FALSE(TimeZone::ParseTzif("TZif2").has_value());
  EXPECT_FALSE(TimeZone::ParseTzif(file.substr(0, 60)).has_value());
}

TEST(JsonSchemaBuiltinsTest, Match) {
  Expect(
      {{"json.match_schema",
        R"([{"id": 5}, {"properties": {"id": {"type": "integer"}}, "required": ["id"]}])",
        "[true, []]"},
       {"json.match_schema",
        R"([{"id": "a"}, {"properties": {"id": {"type": "integer"}}, "required": ["id", "x"]}])",
        R"~([false, [{"desc": "x is required", "error": "(Root): x is required", "field": "(Root)", "type": "required"}, {"desc": "Invalid type. Expected: integer, given: string", "error": "id: Invalid type. Expected: integer, given: string", "field": "id", "type": "invalid_type"}]])~"},
       {"json.match_schema", R"(["{\"x\": 0.3}", {"properties": {"x": {"multipleOf": 0.1}}}])",
        "[true, []]"},
       {"json.match_schema",
        R"([{"x": 1}, {"properties": {"x": {"$ref": "#/definitions/a~1b"}}, "definitions": {"a/b": {"type": "string"}}}])",
        "[false..."},
       {"json.match_schema",
        R"([{"x": 1}, {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/a"}}}])",
        "limit: schema or document nested too deep"},
       {"json.match_schema", R"([{"x": 1}, {"properties": {"x": {"$ref": "http://h/x"}}}])",
        "error: reference to http://h/x..."},
       {"json.match_schema", R"([1, {}])",
        "type error: operand 1 must be one of {string, object} but got number"}});
}

TEST(JsonSchemaBuiltinsTest, VerifySaysWhatIsWrong) {
  Expect({{"json.verify_schema", R"([{"type": "boolean"}])", "[true, null]"},
          {"json.verify_schema", R"([{"minLength": 5, "maxLength": 3}])",
           R"([false, "jsonschema: minLength cannot be greater than maxLength"])"},
          {"json.verify_schema", R"(["{"])", R"([false, "jsonschema: invalid JSON string"])"},
          {"json.verify_schema", R"([{"pattern": "["}])",
           R"([false, "jsonschema: pattern must be a valid regex"])"},
          {"json.verify_schema", "[1]", "type error..."}});
}

TEST(GraphqlBuiltinsTest, Parse) {
  Expect(
      {{"graphql.parse_query", R"(["{hero {name}}"])",
        R"({"Operations": [{"Name": "", "Operation": "query", "SelectionSet": [{"Alias": "hero", "Name": "hero", "SelectionSet": [{"Alias": "name", "Name": "name"}]}]}]})"},
       {"graphql.parse_query", R"(["{"])",
        "error: Expected Name, found <EOF> in GraphQL string at location 1:2"},
       {"graphql.parse_query", R"(["{__typename{...}}"])",
        "error: Expected {, found } in GraphQL string at location 1:16"},
       {"graphql.parse_query", R"(["{a(x: 012)}"])",
        "error: Unexpected <Invalid> in GraphQL string at location 1:8"},
       {"graphql.parse_schema", R"(["union Hello = Wo || Rld"])",
        "error: Expected Name, found | in GraphQL string at location 1:19"},
       {"graphql.parse_schema", R"(["\"d\" extend type A {a: Int}"])",
        R"(error: Unexpected String "d" in GraphQL string at location 1:2)"}});
}

TEST(GraphqlBuiltinsTest, Verify) {
  Expect(
      {{"graphql.is_valid", R"(["{a}", "type Query {a: Int}"])", "true"},
       {"graphql.is_valid", R"(["{b}", "type Query {a: Int}"])", "false"},
       {"graphql.parse", R"(["mutation{x(a:b)}", "type Query {b: Int} type Mutation {x: Int}"])",
        R"(error: Unknown argument "a" on field "Mutation.x" in GraphQL string at location 1:10)"},
       {"graphql.is_valid", R"(["{...F} fragment F on Query {...F}", "type Query {a: Int}"])",
        "false"},
       {"graphql.is_valid", R"(["{a{z:x} a{z:y}}", "type Query {a: B} type B {x: Int y: Int}"])",
        "false"},
       {"graphql.schema_is_valid",
        R"(["interface I {a: Int} interface J implements I {a: Int} type A implements J {a: Int}"])",
        "false"},
       {"graphql.schema_is_valid", R"(["input I {a: I!}"])", "false"},
       {"graphql.schema_is_valid", R"([{"foo": 1}])", "true"},
       {"graphql.schema_is_valid", "[1]", "type error..."},
       {"graphql.parse_and_verify", R"(["{b", "type Query {a: Int}"])", "[false, {}, {}]"}});
}

TEST(GraphqlBuiltinsTest, DeepNestingIsAnError) {
  std::string query;
  for (int i = 0; i < 5000; ++i)
    query += "{a";
  EXPECT_EQ(Call(DefaultFamilies(), "graphql.parse_query", "[\"" + query + "\"]"),
            "limit: GraphQL text nested too deep");
  const std::string list(5000, '[');
  EXPECT_EQ(Call(DefaultFamilies(), "graphql.parse_query", "[\"{a(x: " + list + "\"]"),
            "limit: GraphQL text nested too deep");
}

TEST(TemplateBuiltinsTest, Actions) {
  Expect(
      {{"strings.render_template",
        R"(["{{range $i, $n := .a}}{{if $i}},{{end}}hello {{$n}}{{end}}", {"a": ["x", "y"]}])",
        R"("hello x,hello y")"},
       {"strings.render_template", R"(["{{.foo}} {{.baz}}", {"baz": 1}])", R"("<undefined> 1")"},
       {"strings.render_template",
        R"(["{{with .a}}{{.b}}{{else}}no{{end}} {{- /* c */ -}} x", {"a": {"b": 5}}])", R"("5x")"},
       {"strings.render_template",
        R"(["{{define \"t\"}}T{{.}}{{end}}{{template \"t\" .a}}", {"a": 1}])", R"("T1")"},
       {"strings.render_template",
        R"(["{{.a | printf \"%v-%v\" 3}} {{html \"<\"}} {{len .l}} {{index .l 1}}", {"a": 1, "l": [1, 2]}])",
        R"("3-1 &lt; 2 2")"},
       {"strings.render_template", R"(["{{range .a}}{{.}}{{break}}{{end}}", {"a": [1, 2]}])",
        R"("1")"},
       {"strings.render_template", R"(["{{foo}}", {}])",
        R"(error: template: template:1: function "foo" not defined)"},
       {"strings.render_template", R"(["{{if .a}}", {}])",
        "error: template: template:1: unexpected EOF"},
       {"strings.render_template", R"(["{{.a.b}}", {"a": 1}])",
        "error: template: template:1: can't evaluate field b..."},
       {"strings.render_template", R"(["{{range 100000000}}x{{end}}", {}])", "limit: limit"},
       {"strings.render_template",
        R"(["{{define \"t\"}}{{template \"t\"}}{{end}}{{template \"t\"}}", {}])",
        "error: template: template:1: exceeded maximum template depth"}});
}

TEST(RefusedBuiltinsTest, SayWhy) {
  for (std::string_view name : {"http.send", "net.lookup_ip_addr", "opa.runtime", "test.sleep"}) {
    const Builtin* builtin = FindBuiltin(DefaultFamilies(), name);
    ASSERT_NE(builtin, nullptr) << name;
    EXPECT_EQ(builtin->function, nullptr);
    EXPECT_EQ(builtin->refusal.substr(0, name.size() + 18),
              std::string(name) + " is not available:");
  }
}

TEST(BuiltinFamiliesTest, NamesAreUnique) {
  std::map<std::string_view, std::string_view> seen;
  for (const BuiltinFamily& family : DefaultFamilies()) {
    for (const Builtin& builtin : family.builtins) {
      EXPECT_TRUE(seen.emplace(builtin.name, family.name).second) << builtin.name;
    }
  }
  EXPECT_GT(seen.size(), 150U);
}

}  // namespace
}  // namespace kata_cc::policy::testing
