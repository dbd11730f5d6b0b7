// SPDX-License-Identifier: Apache-2.0
// Aggregates, sets, objects, paths, numbers, units, versions, types, encodings.
#include "policy/engine/builtins/testing.h"

namespace kata_cc::policy::testing {
namespace {

void Expect(const std::vector<Row>& rows) {
  ExpectRows(DefaultFamilies(), rows);
}

TEST(AggregateBuiltinsTest, NumbersAndOrder) {
  Expect({{"sum", "[[1, 2, 3.5]]", "6.5"},
          {"sum", R"([[1, "a"]])",
           "type error: operand 1 must be array of numbers but got array containing string"},
          {"product", "[[]]", "1"},
          {"max", "[[]]", "undefined"},
          {"max", R"([[1, "a", null]])", R"("a")"},
          {"min", R"([{"$set": [3, -7]}])", "-7"},
          {"min", R"(["x"])", "type error: operand 1 must be one of {set, array} but got string"},
          {"sort", "[[3, 1, 2]]", "[1, 2, 3]"}});
}

TEST(ArrayBuiltinsTest, SliceClamps) {
  Expect({{"array.slice", "[[1, 2, 3], -1, 2]", "[1, 2]"},
          {"array.slice", "[[1, 2, 3], 4, 1]", "[]"},
          {"array.slice", "[[1, 2, 3], 1.5, 2]",
           "type error: operand 2 must be integer number but got floating-point number"},
          {"array.flatten", "[[1, [2, [3]]]]", "[1, 2, [3]]"},
          {"array.concat", "[[1], {}]", "type error: operand 2 must be array but got object"},
          {"array.reverse", "[[1, 2]]", "[2, 1]"}});
}

TEST(SetBuiltinsTest, UnionAndIntersection) {
  Expect({{"union", R"([{"$set": [{"$set": [1]}, {"$set": [2]}]}])", "{1, 2}"},
          {"union", R"([{"$set": [1]}])", "type error: operand 1 must be set of sets..."},
          {"intersection", R"([{"$set": []}])", "set()"},
          {"intersection", R"([{"$set": [{"$set": [1, 2]}, {"$set": [2]}]}])", "{2}"}});
}

TEST(ObjectBuiltinsTest, GetUnionSubset) {
  Expect({{"object.get", R"([{"a": [5]}, ["a", 0], 3])", "5"},
          {"object.get", R"([{"a": 1}, ["a", "b"], 3])", "3"},
          {"object.get", R"([{"a": 1}, [], 3])", R"({"a": 1})"},
          {"object.get", R"([1, "a", 3])", "type error: operand 1 must be object but got number"},
          {"object.union", R"([{"a": {"b": 1}}, {"a": {"c": 2}}])", R"({"a": {"b": 1, "c": 2}})"},
          {"object.union_n", R"([[{"a": 1}, {"a": 2}]])", R"({"a": 2})"},
          {"object.keys", R"([{"a": 1, "b": 2}])", R"({"a", "b"})"},
          {"object.filter", R"([{"a": 1, "b": 2}, ["a"]])", R"({"a": 1})"},
          {"object.remove", R"([{"a": 1}, "a"])",
           "type error: operand 2 must be one of {object, set, array} but got string"},
          {"object.subset", "[[1, 2, 3], [2, 3]]", "true"},
          {"object.subset", "[[1, 2, 3], [1, 3]]", "false"},
          {"object.subset", R"([{"a": {"b": [1, 2]}, "c": 1}, {"a": {"b": [1]}}])", "true"},
          {"object.subset", R"([[1, 2], {"$set": [2]}])", "true"},
          {"object.subset", R"([{"$set": [1]}, [1]])", "type error: both arguments..."}});
}

TEST(JsonPathBuiltinsTest, FilterAndRemove) {
  Expect({{"json.filter", R"([{"a": {"b": [1, 2, 3]}}, ["a/b/1"]])", R"({"a": {"b": [2]}})"},
          {"json.filter", R"([{"a~1b": 1, "a/b": 2}, ["a~1b"]])", R"({"a/b": 2})"},
          {"json.filter", R"([{"a": 1}, [""]])", "{}"},
          {"json.filter", R"([{"a": 1}, ["a/b"]])", R"({"a": 1})"},
          {"json.remove", R"([{"a": [1, 2, 3]}, ["a/0", "a/2"]])", R"({"a": [2]})"},
          {"json.remove", R"([{"a": {"b": 1, "c": 2}}, ["a/b", "a"]])", "{}"},
          {"json.remove", R"([{"a": 1}, [{}]])",
           "type error: operand 2 must be one of {set, array} containing string paths or array of "
           "path segments but got object"}});
}

TEST(JsonPathBuiltinsTest, Patch) {
  Expect(
      {{"json.patch", R"([{"a": [1, 2]}, [{"op": "add", "path": "/a/-", "value": 3}]])",
        R"({"a": [1, 2, 3]})"},
       {"json.patch", R"([{"a": [1, 2]}, [{"op": "remove", "path": "/a/0"}]])", R"({"a": [2]})"},
       {"json.patch", R"([{"a": 1}, [{"op": "move", "path": "/b", "from": "/a"}]])", R"({"b": 1})"},
       {"json.patch", R"([{"a": 1}, [{"op": "copy", "path": "/b", "from": "/a"}]])",
        R"({"a": 1, "b": 1})"},
       {"json.patch", R"([{"a": {"$set": ["x", "y"]}}, [{"op": "remove", "path": "a/x"}]])",
        R"({"a": {"y"}})"},
       {"json.patch", R"([{"$set": [[1]]}, [{"op": "add", "path": [[1], 1], "value": 2}]])",
        "{[1, 2]}"},
       {"json.patch", R"([{"a": [1]}, [{"op": "add", "path": "/a/5", "value": 1}]])",
        "error: index for array insertion..."},
       {"json.patch", R"([{"a": [1]}, [{"op": "remove", "path": "/a/01"}]])",
        "error: leading zeros..."},
       {"json.patch", R"([{"a": 1}, [{"op": "replace", "path": "/b", "value": 1}]])",
        R"(error: cannot delete child key "b" that does not exist)"},
       {"json.patch", R"([{"a": 1}, [{"op": "test", "path": "/a", "value": 2}]])",
        "error: value from EditTree..."},
       {"json.patch", R"([{"a": 1}, [{"op": "frob", "path": "/a"}]])",
        "error: unrecognized op: 'frob'"},
       {"json.patch", R"([{"a": 1}, [{"path": "/a"}]])", "error: missing required attribute 'op'"},
       {"json.patch", R"([{"a": 1}, [{"op": "remove", "path": ""}]])",
        "error: the whole document..."}});
}

TEST(NumberBuiltinsTest, RangesAndBits) {
  Expect({{"numbers.range", "[2, -1]", "[2, 1, 0, -1]"},
          {"numbers.range", "[49649733057, 49649733058]", "[49649733057, 49649733058]"},
          {"numbers.range", "[0, 1000000000000]", "limit: limit"},
          {"numbers.range", "[3, 3.14]", "type error: operand 2 must be integer number..."},
          {"numbers.range_step", "[10, 3, 2]", "[10, 8, 6, 4]"},
          {"numbers.range_step", "[1, 3, 0]",
           "error: numbers.range_step: step must be a positive integer"},
          {"bits.lsh", "[9223372036854775807, 1]", "18446744073709551614"},
          {"bits.lsh", "[1, 100000000000]", "limit: number too large"},
          {"bits.lsh", "[7, -1]",
           "type error: operand 2 must be an unsigned integer number but got a negative integer"},
          {"bits.rsh", "[-5, 70]", "-1"},
          {"bits.xor", "[-1, 255]", "-256"},
          {"bits.and", "[7.2, 42]",
           "type error: operand 1 must be integer number but got floating-point number"},
          {"bits.negate", "[42]", "-43"},
          {"round", "[-1.5]", "-2"},
          {"ceil", "[-1.2]", "-1"},
          {"floor", "[-1.2]", "-2"},
          {"abs", "[-1.5]", "1.5"},
          {"rand.intn", R"(["k", 0])", "0"}});
}

TEST(UnitBuiltinsTest, AreExact) {
  Expect({{"units.parse", R"(["500m"])", "0.5000000000"},
          {"units.parse", R"(["2Mi"])", "2097152"},
          {"units.parse", R"(["-3.5E2m"])", "-0.3500000000"},
          {"units.parse", R"(["10E"])", "10000000000000000000"},
          {"units.parse", R"(["1e3M"])", "1000000000"},
          {"units.parse", R"([".5K"])", "500"},
          {"units.parse", R"([" 327Mi "])",
           "error: units.parse: spaces not allowed in resource strings"},
          {"units.parse", R"(["foo"])", "error: units.parse: no amount provided"},
          {"units.parse", R"([".5.2"])", "error: units.parse: could not parse amount to a number"},
          {"units.parse", R"(["1zz"])", "error: units.parse: unit zz not recognized"},
          {"units.parse", R"(["1e99999999"])", "error: exponent too large"},
          {"units.parse_bytes", R"(["\"100TIB\""])", "109951162777600"},
          {"units.parse_bytes", R"(["1.1KiB"])", "1126"},
          {"units.parse_bytes", R"(["100m"])", "100000000"},
          {"units.parse_bytes", R"(["GB"])", "error: units.parse_bytes: no byte amount provided"}});
}

TEST(SemverBuiltinsTest, ComparesBySpecification) {
  Expect({{"semver.compare", R"(["1.0.0-alpha.1", "1.0.0-alpha.beta"])", "-1"},
          {"semver.compare", R"(["1.0.0", "1.0.0-rc.1"])", "1"},
          {"semver.compare", R"(["1.0.0+a", "1.0.0+b"])", "0"},
          {"semver.compare", R"(["1.0.0", "1"])",
           R"(error: operand 2: string "1" is not a valid SemVer)"},
          {"semver.is_valid", R"(["1.0.0-01"])", "false"},
          {"semver.is_valid", "[1]", "false"},
          {"semver.is_valid", R"(["v1.2.3+x.y"])", "true"}});
}

TEST(TypeBuiltinsTest, ToNumber) {
  Expect(
      {{"to_number", R"(["-42.0"])", "-42.0"},
       {"to_number", "[null]", "0"},
       {"to_number", "[true]", "1"},
       {"to_number", R"(["nan"])",
        "type error: operand 1 must be valid number string but got string"},
       {"to_number", R"(["0x10"])", R"(error: strconv.ParseFloat: parsing "0x10": invalid syntax)"},
       {"to_number", R"([""])", "error: strconv.ParseFloat..."},
       {"to_number", "[[1]]",
        "type error: operand 1 must be one of {null, boolean, number, string} but got array"},
       {"type_name", R"([{"$set": []}])", R"("set")"},
       {"is_string", "[1]", "false"},
       {"cast_set", "[[1, 1]]", "{1}"}});
}

TEST(EncodingBuiltinsTest, Base64AndHex) {
  Expect({{"base64.encode", R"(["subjects?_d"])", R"("c3ViamVjdHM/X2Q=")"},
          {"base64.decode", R"(["YW\nE="])", R"("aa")"},
          {"base64.decode", R"(["YQ"])", "error: illegal base64 data at input byte 0"},
          {"base64.decode", R"(["YQ=="])", R"("a")"},
          {"base64.decode", R"(["YQ==x"])", "error: illegal base64 data at input byte 4"},
          {"base64.is_valid", R"(["Y Q=="])", "false"},
          {"base64url.decode", R"(["YQ"])", R"("a")"},
          {"base64url.encode_no_pad", R"(["hello"])", R"("aGVsbG8")"},
          {"hex.encode", R"(["lorem"])", R"("6c6f72656d")"},
          {"hex.decode", R"(["fghijkl"])", "error: encoding/hex: invalid byte: U+0067 'g'"},
          {"hex.decode", R"(["a"])", "error: encoding/hex: odd length hex string"}});
}

TEST(EncodingBuiltinsTest, JsonAndQueries) {
  Expect(
      {{"json.marshal", R"([{"b": "<", "a": {"$set": [2, 1]}}])",
        R"("{\"a\":[1,2],\"b\":\"\\u003c\"}")"},
       {"json.marshal_with_options", R"([{"a": [1, {}]}, {"pretty": true}])",
        R"("{\n\t\"a\": [\n\t\t1,\n\t\t{}\n\t]\n}")"},
       {"json.marshal_with_options", R"([[], {"prefix": "---"}])", R"("---[]")"},
       {"json.marshal_with_options", R"([[], {"x": 1}])",
        R"(type error: operand 2 object contained unknown key "x")"},
       {"json.unmarshal", R"(["{\"a\":1,\"a\":2}"])", R"({"a": 2})"},
       {"json.unmarshal", R"(["[1,"])", "error: json..."},
       {"json.is_valid", R"(["plain"])", "false"},
       {"urlquery.encode", R"(["é /+~*"])", R"("%C3%A9+%2F%2B~%2A")"},
       {"urlquery.decode", R"(["a%zz"])", R"(error: invalid URL escape "%zz")"},
       {"urlquery.encode_object", R"([{"a": {"$set": ["x", "y"]}, "b": "z"}])", R"("a=x&a=y&b=z")"},
       {"urlquery.decode_object", R"(["a&b=&=c&a=%20"])",
        R"({"": ["c"], "a": ["", " "], "b": [""]})"}});
}

TEST(EncodingBuiltinsTest, DeepJsonIsAnError) {
  const std::string deep(10000, '[');
  EXPECT_EQ(Call(DefaultFamilies(), "json.unmarshal", "[\"" + deep + "\"]").substr(0, 6), "error:");
  EXPECT_EQ(Call(DefaultFamilies(), "json.is_valid", "[\"" + deep + "\"]"), "false");
}

}  // namespace
}  // namespace kata_cc::policy::testing
