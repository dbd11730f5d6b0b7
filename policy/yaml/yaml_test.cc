// SPDX-License-Identifier: Apache-2.0
#include "policy/yaml/yaml.h"

#include <gtest/gtest.h>

#include "policy/engine/builtins/testing.h"

namespace kata_cc::policy_yaml {
namespace {

using policy::testing::Row;

void Expect(const std::vector<Row>& rows) {
  const policy::BuiltinFamily family = Family();
  policy::testing::ExpectRows(std::span(&family, 1), rows);
}

TEST(YamlBuiltinsTest, ReadsScalarsAsOpaDoes) {
  Expect(
      {{"yaml.unmarshal",
        R"(["a: 012\nb: 1_000\nc: +1\nd: 0b11\ne: 1:20\ng: 1.0\ni: on\nk: Yes\nl: -0x10\nm: .5\nn: 1e400\np: ~\nq: TRUE"])",
        R"({"a": 10, "b": 1000, "c": 1, "d": 3, "e": "1:20", "g": 1, "i": "on", "k": "Yes", "l": -16, "m": 0.5, "n": "1e400", "p": null, "q": true})"},
       {"yaml.unmarshal", R"(["a: !!str 1\nb: !!int \"3\"\nc: !foo x\nd: !!binary aGk="])",
        R"({"a": "1", "b": 3, "c": "x", "d": "hi"})"},
       {"yaml.unmarshal", R"(["1: a\ntrue: b\n1.5: d"])", R"({"1": "a", "1.5": "d", "true": "b"})"},
       {"yaml.unmarshal", R"(["null: b"])", "error: unsupported map key of type: null"},
       {"yaml.unmarshal", R"(["a: .inf"])", "error: json: unsupported value: .inf"},
       {"yaml.unmarshal", R"([""])", "null"}});
}

TEST(YamlBuiltinsTest, AnchorsMergesAndDocuments) {
  Expect(
      {{"yaml.unmarshal", R"(["a: &x [1]\nb: *x"])", R"({"a": [1], "b": [1]})"},
       {"yaml.unmarshal", R"(["<<: {a: 1, b: 3}\nb: 2"])", R"({"a": 1, "b": 2})"},
       {"yaml.unmarshal", R"(["---\na\n---\nb"])", R"("a")"},
       {"yaml.unmarshal", R"(["a: |\n  x\n  y\nb: >\n  x\n  y\n"])",
        R"({"a": "x\ny\n", "b": "x y\n"})"},
       {"yaml.unmarshal", R"(["a: *y"])", "error: yaml: unknown anchor 'y' referenced"},
       {"yaml.unmarshal", R"(["a: ["])", "error: yaml: line 1: did not find expected node content"},
       {"yaml.is_valid", R"(["a: ["])", "false"},
       {"yaml.is_valid", "[1]", "false"}});
}

TEST(YamlBuiltinsTest, BombsAreErrors) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\\n";
  for (int i = 1; i < 12; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k)
      bomb += (k > 0 ? "," : "") + last;
    bomb += "]\\n";
  }
  const policy::BuiltinFamily family = Family();
  const std::span families(&family, 1);
  EXPECT_EQ(policy::testing::Call(families, "yaml.unmarshal", "[\"" + bomb + "\"]"),
            "limit: limit");
  const std::string deep(2000, '[');
  const std::string got = policy::testing::Call(families, "yaml.is_valid", "[\"" + deep + "\"]");
  EXPECT_TRUE(got == "false" || got == "limit: yaml nested too deep") << got;
}

TEST(YamlBuiltinsTest, WritesWhatItReadsBack) {
  Expect(
      {{"yaml.marshal",
        R"([{"a": [1, {"b": "c", "d": [[]]}], "e": {}, "f": null, "g": "yes", "h": "1", "i": "a: b", "k": "", "l": " a", "n": 1.5, "o": "'q'"}])",
        R"("a:\n  - 1\n  - b: c\n    d:\n      - []\ne: {}\nf: null\ng: \"yes\"\nh: \"1\"\ni: 'a: b'\nk: \"\"\nl: ' a'\n\"n\": 1.5\no: '''q'''\n")"},
       {"yaml.marshal", R"([[[1, 2], [{"a": 1}]]])", R"("- - 1\n  - 2\n- - a: 1\n")"},
       {"yaml.marshal", R"([{"a": "x\ny\n", "b": "x\ny"}])",
        R"("a: |\n  x\n  y\nb: |-\n  x\n  y\n")"}});
}

}  // namespace
}  // namespace kata_cc::policy_yaml
