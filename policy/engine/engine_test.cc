// SPDX-License-Identifier: Apache-2.0
// The language, by small policies: what a query gives, or how loading fails.
#include "policy/engine/engine.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>

namespace kata_cc::policy {
namespace {

using nlohmann::json;

Result<std::unique_ptr<Engine>> TryLoad(std::vector<std::string> texts, json data = json::object(),
                                        Options options = {}) {
  std::vector<Module> modules;
  for (std::string& text : texts)
    modules.push_back({"m" + std::to_string(modules.size()) + ".rego", std::move(text)});
  return Engine::Load(std::move(modules), std::move(data), options);
}

// The document data.t.<rule>, as JSON text; "undefined", or the error.
std::string Ask(const std::string& body, const std::string& rule, const json& input = nullptr,
                Dialect dialect = Dialect::kV1) {
  Options options;
  options.dialect = dialect;
  const auto engine = TryLoad({"package t\n" + body}, json::object(), options);
  if (!engine) return engine.error().message();
  const auto answer = (*engine)->Query("t." + rule, input);
  if (!answer) return answer.error().message();
  return answer->value ? answer->value->dump() : "undefined";
}

std::string LoadError(const std::string& body, Dialect dialect = Dialect::kV1) {
  Options options;
  options.dialect = dialect;
  const auto engine = TryLoad({"package t\n" + body}, json::object(), options);
  return engine ? "loads" : engine.error().message();
}

TEST(Engine, RulesOfEveryKind) {
  const std::string text = R"(
one := 1
chosen := 2 if input.x == 1
else := 3 if input.x == 2
else := 4
default absent := "none"
absent := 1 if input.nothing
letters contains x if some x in ["b", "a", "b"]
squares[x] := x * x if some x in [1, 2, 3]
deep.er[k].leaf := v if some k, v in {"p": 1, "q": 2}
twice(x) := 2 * x
kind("a") := "letter"
kind(1) := "number"
default kind(_) := "other"
kinds := [kind("a"), kind(1), kind(null)]
)";
  EXPECT_EQ(Ask(text, "one"), "1");
  EXPECT_EQ(Ask(text, "chosen", {{"x", 1}}), "2");
  EXPECT_EQ(Ask(text, "chosen", {{"x", 2}}), "3");
  EXPECT_EQ(Ask(text, "chosen", {{"x", 3}}), "4");
  EXPECT_EQ(Ask(text, "absent"), R"("none")");
  EXPECT_EQ(Ask(text, "letters"), R"(["a","b"])");
  EXPECT_EQ(Ask(text, "squares"), R"({"1":1,"2":4,"3":9})");
  EXPECT_EQ(Ask(text, "deep"), R"({"er":{"p":{"leaf":1},"q":{"leaf":2}}})");
  EXPECT_EQ(Ask(text, "kinds"), R"(["letter","number","other"])");
  EXPECT_EQ(Ask(text, "nothing"), "undefined");
}

TEST(Engine, UnificationFlowsBothWays) {
  EXPECT_EQ(Ask("p := [x, y] if [x, y] = [y, 1]", "p"), "[1,1]");
  EXPECT_EQ(Ask(R"(p := x if {"a": [x, 2], "b": y} = {"a": [1, y], "b": 2})", "p"), "1");
  EXPECT_EQ(Ask("p := x if { x = y; y = z; z = 3 }", "p"), "3");
  EXPECT_EQ(Ask("p if [1, _] = [2, 1]", "p"), "undefined");
  EXPECT_EQ(Ask("p if [_, _] = [1]", "p"), "undefined");
  EXPECT_EQ(Ask("p := i if { xs := [5, 6]; xs[i] = 6 }", "p"), "1");
}

TEST(Engine, OrderIsMadeSafe) {
  EXPECT_EQ(Ask("p := y if { y > 2; y = x + 1; x = 3 }", "p"), "4");
  EXPECT_EQ(Ask("p if { not x == 1; x = 2 }", "p"), "true");
  EXPECT_NE(LoadError("p if { x == 1; x := 1 }").find("var x referenced above"), std::string::npos);
  EXPECT_NE(LoadError("p if x > 1").find("m0.rego:2:6: var x is unsafe"), std::string::npos);
  EXPECT_NE(LoadError("p if not input.xs[_] == 1").find("unsafe"), std::string::npos);
  EXPECT_NE(LoadError("p contains x if true").find("var x is unsafe"), std::string::npos);
  // What is missing is named, and not all that needs it.
  EXPECT_EQ(
      LoadError("p if { some c in policy_data.containers; a := c.args; count(a) > n; n = 1 }"),
      "m0.rego:2:8: var policy_data is unsafe");
  EXPECT_EQ(LoadError("p if { x = y + 1; y = x + 1 }"),
            "m0.rego:2:8: var x is unsafe\nm0.rego:2:8: var y is unsafe\n"
            "m0.rego:2:19: var x is unsafe\nm0.rego:2:19: var y is unsafe");
}

TEST(Engine, EveryNotAndComprehensions) {
  EXPECT_EQ(Ask("p if every x in [1, 2] { x < 3 }", "p"), "true");
  EXPECT_EQ(Ask("p if every x in [1, 5] { x < 3 }", "p"), "undefined");
  EXPECT_EQ(Ask("p if every k, v in {\"a\": 1} { k == \"a\"; v == 1 }", "p"), "true");
  EXPECT_EQ(Ask("p if every x in [] { x < 3 }", "p"), "true");
  EXPECT_EQ(Ask("p if every x in input.gone { x < 3 }", "p"), "undefined");
  EXPECT_EQ(Ask("p := [x + y | some x in [1, 2]; some y in [10, 20]]", "p"), "[11,21,12,22]");
  EXPECT_EQ(Ask("p := {x | some x in [3, 1, 3]}", "p"), "[1,3]");
  EXPECT_EQ(Ask("p := {x: 1 | some x in [\"b\", \"a\"]}", "p"), R"({"a":1,"b":1})");
  EXPECT_EQ(Ask("p := {1} | {2}", "p"), "[1,2]");
}

TEST(Engine, WithReplacesInputDataAndFunctions) {
  EXPECT_EQ(Ask("q := input.x\np := [y, z] if { y := q with input.x as 1; z := input }", "p", 5),
            "[1,5]");
  EXPECT_EQ(Ask("q := data.d\np := y if y := q with data.d as {1}", "p"), "[1]");
  EXPECT_EQ(Ask("f(x) := x\ng(x) := 9\nq := f(1)\np := y if y := q with f as g", "p"), "9");
  EXPECT_EQ(Ask("q := count([1])\np := y if y := q with count as 7", "p"), "7");
  EXPECT_EQ(Ask("r := 1\nq := r\np := y if y := q with data.t.r as 2", "p"), "2");
}

TEST(Engine, WithForgetsWhatItChangesAndNothingElse) {
  // A rule's value is known for the rest of the query, but not under other circumstances.
  const std::string text = R"(
q := input.x + data.t.r
r := 10
p := [a, b, c, d] if {
	a := q
	b := q with input.x as 2
	c := q with data.t.r as 20
	d := q
}
deep := x if x := chain with input.x as 7
chain := y if y := q with data.t.r as 100
every_one := [z | some i in [1, 2, 3]; z := q with input.x as i]
both := v if v := q with input.x as input.x * 2 with data.t.r as input.x
)";
  EXPECT_EQ(Ask(text, "p", {{"x", 1}}), "[11,12,21,11]");
  EXPECT_EQ(Ask(text, "deep", {{"x", 1}}), "107");
  EXPECT_EQ(Ask(text, "every_one", {{"x", 1}}), "[11,12,13]");
  EXPECT_EQ(Ask(text, "both", {{"x", 5}}), "15");
}

TEST(Engine, WithReplacesARuleAsAWholeOnly) {
  const std::string rule = "r := {\"x\": 1, \"y\": 2}\n";
  EXPECT_EQ(Ask(rule + "p := a if a := r with data.t.r as {\"x\": 3}", "p"), R"({"x":3})");
  EXPECT_EQ(LoadError(rule + "p if r.x == 3 with data.t.r.x as 3"),
            "m0.rego:3:20: with: data.t.r is a rule, and can only be replaced as a whole");
  EXPECT_NE(LoadError("r[k] := 1 if some k in [\"x\"]\np if r.x == 3 with data.t.r.x as 3"),
            "loads");
  EXPECT_NE(LoadError("r contains 1\np if r with data.t.r[1] as 3"), "loads");
  // The base document, a package, and what is beside a rule have no such bounds.
  EXPECT_EQ(Ask("p := a if a := data.d.e.f with data.d.e.f as 3", "p"), "3");
  EXPECT_EQ(Ask(rule + "p := a if a := data.t.r with data.t as {\"r\": 4}", "p"), "4");
  EXPECT_EQ(Ask("p := a if a := data.d with data.d[1] as 3", "p"), R"({"1":3})");
}

TEST(Engine, BodiesAreTriedByTheConstantsTheyBeginWith) {
  const auto with_bodies = [](int count) {
    std::string text = "package t\n";
    for (int i = 0; i < count; ++i) {
      const std::string n = std::to_string(i);
      text += "f(\"k" + n + "\", x) := x + " + n + "\n";
      text += "allow if { input.kind == \"k" + n + "\"; input.x == " + n + " }\n";
      text += "deny contains \"d" + n + "\" if input[\"kind\"] = \"k" + n + "\"\n";
    }
    text += "deny contains \"always\" if input.kind\np := [f(input.kind, 1), allow, deny]\n";
    auto engine = TryLoad({text});
    EXPECT_TRUE(engine) << engine.error().message();
    return *std::move(engine);
  };
  const auto few = with_bodies(10);
  const auto many = with_bodies(1'000);
  const json input = {{"kind", "k7"}, {"x", 7}};
  for (const auto* engine : {&few, &many}) {
    EXPECT_EQ((*engine)->Query("t.p", input)->value->dump(), R"([8,true,["always","d7"]])");
  }
  (void)few->Query("t.p", input);
  (void)many->Query("t.p", input);
  EXPECT_EQ(few->steps(), many->steps());
  // No body is left out of an explanation for it.
  const auto lines = few->Explain("t.allow", {{"kind", "k70"}, {"x", 7}});
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->size(), 10U);
  EXPECT_EQ((*lines)[9], "allow at m0.rego:30: input.kind == \"k9\" failed: \"k70\" != \"k9\"");
  EXPECT_EQ((*many).Query("t.p", {{"kind", 1.5}})->value, std::nullopt);
}

TEST(Engine, TheIndexKnowsEqualityAndMocks) {
  const std::string text = R"(
f(1) := "one"
f(2) := "two"
f("1") := "text"
f([1, {"a": 2}]) := "deep"
f(x) := "many" if { is_number(x); x > 2 }
f(null) := "null"
g(x) := "g" if x == 1
g(x) := "g" if 2 == x
g(x) := "g" if x == 3
always(a, b) := true
p := [f(x) | some x in input]
plain := g(9)
mocked := v if v := g(9) with equal as always
)";
  EXPECT_EQ(Ask(text, "p", json::parse(R"([1.0, 2, "1", [1, {"a": 2}], 3, null, "none"])")),
            R"(["one","two","text","deep","many","null"])");
  EXPECT_EQ(Ask(text, "p", json::parse(R"([-1, {}, [], [1, {"a": 3}], 7])")), R"(["many"])");
  EXPECT_EQ(Ask(text, "plain"), "undefined");
  EXPECT_EQ(Ask(text, "mocked"), R"("g")");
}

TEST(Engine, MockedFunctionsCallTheOriginals) {
  // Otherwise f would call itself for ever.
  EXPECT_EQ(Ask("f(x) := x + 1\ng(x) := f(x) * 10\np := y if y := f(1) with f as g", "p"), "20");
}

TEST(Engine, V0AndItsImports) {
  const std::string text = "p[x] { x := [1, 2][_] }\nq = y { y = 1 } { y = 1 }\nelse_ = 2 { true }";
  EXPECT_EQ(Ask(text, "p", nullptr, Dialect::kV0), "[1,2]");
  EXPECT_EQ(Ask(text, "q", nullptr, Dialect::kV0), "1");
  EXPECT_NE(LoadError(text), "loads");
  EXPECT_EQ(Ask("in := 3\np := in", "p", nullptr, Dialect::kV0), "3");
  EXPECT_EQ(Ask("import future.keywords.in\np { 1 in [1] }", "p", nullptr, Dialect::kV0), "true");
  EXPECT_EQ(Ask("import rego.v1\np if 1 in [1]", "p", nullptr, Dialect::kV0), "true");
  // Auto takes either.
  EXPECT_EQ(Ask("p { true }", "p", nullptr, Dialect::kAuto), "true");
  EXPECT_EQ(Ask("p if true", "p", nullptr, Dialect::kAuto), "true");
}

TEST(Engine, ModulesSharePackagesAndImport) {
  const auto engine = TryLoad({"package a\nimport data.lib.util as u\np := u.f(x)\nx := 3",
                               "package a\ny := x + 1", "package lib.util\nf(x) := x * 2"});
  ASSERT_TRUE(engine) << engine.error().message();
  EXPECT_EQ((*engine)->Query("a", nullptr)->value->dump(), R"({"p":6,"x":3,"y":4})");
}

TEST(Engine, StringsOfEveryKind) {
  EXPECT_EQ(Ask("p := `a\\n`", "p"), R"("a\\n")");
  EXPECT_EQ(Ask("p := \"\\u00e9\\\"\"", "p"), "\"\xc3\xa9\\\"\"");
  EXPECT_EQ(Ask("x := 1\np := $\"<{x}|{input.y}|{[1, \"a\"]}>\"", "p", json::object()),
            R"("<1|<undefined>|[1, \"a\"]>")");
}

TEST(Engine, ConflictsAreErrorsWithAPlace) {
  EXPECT_EQ(Ask("p := x if some x in [1, 2]", "p"),
            "m0.rego:2:1: eval_conflict_error: complete rules must not produce multiple outputs: "
            "data.t.p");
  EXPECT_NE(Ask("f(x) := y if some y in x\np := f([1, 2])", "p").find("multiple outputs"),
            std::string::npos);
  EXPECT_NE(
      Ask("p[k] := x if { k := \"a\"; some x in [1, 2] }", "p").find("object keys must be unique"),
      std::string::npos);
}

TEST(Engine, CompileErrorsAreHelpful) {
  EXPECT_EQ(LoadError("p if contians(\"a\", \"b\")"),
            "m0.rego:2:6: undefined function contians, did you mean contains?");
  EXPECT_NE(LoadError("p if q\nq if p").find("is recursive: data.t.p -> data.t.q -> data.t.p"),
            std::string::npos);
  EXPECT_NE(LoadError("f(x) := x\nf(x, y) := y").find("conflicting rules"), std::string::npos);
  EXPECT_NE(LoadError("p := 1\np contains 2").find("conflicting rules"), std::string::npos);
  EXPECT_NE(LoadError("p if { x := 1; x := 2 }").find("declared above"), std::string::npos);
  EXPECT_NE(LoadError("p if count(1, 2, 3)").find("expected 1 operand, got 3"), std::string::npos);
  EXPECT_NE(LoadError("p := http.send({})").find("http.send is not available"), std::string::npos);
  EXPECT_NE(LoadError("p { true }").find("`if` keyword is required"), std::string::npos);
  EXPECT_NE(LoadError("p := \"abc").find("m0.rego:2:6: unterminated string"), std::string::npos);
}

TEST(Engine, FamiliesCanBeSwitchedOff) {
  Options options;
  options.families_off = {"strings"};
  const auto engine = TryLoad({"package t\np := upper(\"a\")"}, json::object(), options);
  ASSERT_FALSE(engine);
  EXPECT_NE(engine.error().message().find("family strings are switched off"), std::string::npos);
}

TEST(Engine, StrictBuiltinErrors) {
  Options options;
  options.strict_builtin_errors = true;
  const auto strict = TryLoad({"package t\np := 1 / input.x"}, json::object(), options);
  const auto answer = (*strict)->Query("t.p", {{"x", 0}});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().message(), "m0.rego:2:6: eval_builtin_error: div: divide by zero");
  EXPECT_EQ(Ask("p := 1 / input.x", "p", {{"x", 0}}), "undefined");
}

TEST(Engine, PatchChangesDataAllOrNothing) {
  const auto engine = TryLoad({"package t\nn := count(data.pstate)"}, {{"pstate", json::object()}});
  ASSERT_TRUE((*engine)->PatchData(json::parse(R"([{"op":"add","path":"/pstate/a","value":1}])")));
  EXPECT_EQ((*engine)->Query("t.n", nullptr)->value->dump(), "1");
  EXPECT_FALSE((*engine)->PatchData(json::parse(
      R"([{"op":"add","path":"/pstate/b","value":1},{"op":"remove","path":"/pstate/none"}])")));
  EXPECT_EQ((*engine)->Query("t.n", nullptr)->value->dump(), "1");
  ASSERT_TRUE((*engine)->PatchData(json::parse(R"([{"op":"remove","path":"/pstate/a"}])")));
  EXPECT_EQ((*engine)->Query("t.n", nullptr)->value->dump(), "0");
}

TEST(Engine, PrintsAreKeptAndDoNotDecide) {
  const auto engine =
      TryLoad({"package t\np if { print(\"got\", input.x, input.none, {1}); input.x == 1 }"});
  ASSERT_TRUE(engine) << engine.error().message();
  const auto answer = (*engine)->Query("t.p", {{"x", 1}});
  EXPECT_EQ(answer->prints.Lines(), std::vector<std::string>{"got 1 <undefined> {1}"});
  EXPECT_EQ(answer->value->dump(), "true");
}

TEST(Engine, ExplainsTheNearestMiss) {
  const auto engine = TryLoad({R"(package t
policy_data := {"containers": [{"args": ["pause"]}, {"args": ["bash"], "user": 0}]}
allow if {
	some c in policy_data.containers
	c.user == input.user
	same_args(c.args, input.args)
}
same_args(a, b) if {
	count(a) == count(b)
	a == b
}
)"});
  ASSERT_TRUE(engine) << engine.error().message();
  const auto lines = (*engine)->Explain("t.allow", {{"user", 0}, {"args", {"sh"}}});
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ((*lines)[0],
            "allow at m0.rego:6: policy_data.containers[1]: same_args(c.args, input.args) failed: "
            "c.args is [\"bash\"], input.args is [\"sh\"]");
  EXPECT_EQ((*lines)[1], "  same_args at m0.rego:10: a == b failed: [\"bash\"] != [\"sh\"]");
}

TEST(Engine, BigNumbersAreExact) {
  EXPECT_EQ(Ask("p if 123456789012345678901234567890 - 1 == 123456789012345678901234567889", "p"),
            "true");
  EXPECT_EQ(Ask("p if 0.1 + 0.2 == 0.3", "p"), "true");
  EXPECT_EQ(Ask("p := 9223372036854775807 + 1 > 9223372036854775807", "p"), "true");
}

TEST(Engine, BaseAndVirtualDocumentsMerge) {
  const auto engine = TryLoad({"package a.b\nx := 1"}, {{"a", {{"b", {{"y", 2}}}, {"c", 3}}}});
  EXPECT_EQ((*engine)->Query("a", nullptr)->value->dump(), R"({"b":{"x":1,"y":2},"c":3})");
}

TEST(Engine, EnginesShareNothingAndOneGoesFromThreadToThread) {
  const std::string text = R"(package t
p := [x | some x in input.xs; regex.match(`^a+$`, x); count(x) > data.least]
)";
  const auto ours = TryLoad({text}, {{"least", 1}});
  ASSERT_TRUE(ours) << ours.error().message();
  std::mutex mutex;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      const auto own = TryLoad({text}, {{"least", 2}});
      for (int round = 0; round < 50; ++round) {
        const json input = {{"xs", {"a", "aa", "aaa", "b" + std::to_string(round)}}};
        EXPECT_EQ((*own)->Query("t.p", input)->value->dump(), R"(["aaa"])");
        const std::lock_guard lock(mutex);
        EXPECT_EQ((*ours)->Query("t.p", input)->value->dump(), R"(["aa","aaa"])");
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
}

TEST(Engine, QueriesGiveBindings) {
  const auto engine = TryLoad({"package t\np contains x if some x in [1, 2]"});
  const auto solutions = (*engine)->Ask("data.t.p[x]; y := x + 1", std::nullopt);
  ASSERT_TRUE(solutions) << solutions.error().message();
  ASSERT_EQ(solutions->rows.size(), 2U);
  EXPECT_EQ(solutions->rows[0].bindings[0].first, "x");
  EXPECT_EQ(solutions->rows[1].bindings[1].second, Value::Int(3));
  EXPECT_FALSE((*engine)->Ask("data.t.p[", std::nullopt));
}

}  // namespace
}  // namespace kata_cc::policy
