// SPDX-License-Identifier: Apache-2.0
// Hostile policies and inputs: whatever they are, the answer is an error in bounded time.
#include <gtest/gtest.h>

#include "policy/engine/engine.h"
#include "policy/engine/engine_caches.h"
#include "policy/engine/parser.h"

namespace kata_cc::policy {
namespace {

using nlohmann::json;

std::string Repeat(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += text;
  return out;
}

Result<std::unique_ptr<Engine>> Load(const std::string& text, Options options = {}) {
  return Engine::Load({{"m.rego", "package t\n" + text}}, json::object(), options);
}

// The code of the error that p's evaluation ends with.
Code Outcome(const std::string& text, const json& input = nullptr, Options options = {}) {
  options.limits.steps = std::min<std::uint64_t>(options.limits.steps, 2'000'000);
  const auto engine = Load(text, options);
  EXPECT_TRUE(engine) << engine.error().message();
  if (!engine) return Code::kInvalidArgument;
  const auto answer = (*engine)->Query("t.p", input);
  EXPECT_FALSE(answer);
  return answer ? Code::kUnknown : answer.error().code();
}

TEST(Limits, DeepTextIsRefused) {
  for (const char* open : {"[", "{", "(", "f(", "[x | ", "{x | y = ", "{1: ", "not (", "$\"{"}) {
    EXPECT_FALSE(Load("p := " + Repeat(open, 20'000))) << open;
  }
  EXPECT_FALSE(Load("p := 1" + Repeat(" + 1", 100'000)));
  EXPECT_FALSE(Load("p := 1" + Repeat(" else := 1", 100'000)));
  EXPECT_FALSE(Load("p if " + Repeat("every x in [1] { ", 100'000)));
  // A long reference or body is no deep one.
  EXPECT_TRUE(Load("p := input" + Repeat(".a", 20'000)));
  EXPECT_TRUE(Load("p if { true" + Repeat("; true", 20'000) + " }"));
}

TEST(Limits, AmbiguousTextCannotBacktrackForEver) {
  EXPECT_FALSE(Load("p := " + Repeat("{a | ", 200) + "b" + Repeat("}", 199)));
  EXPECT_FALSE(Load("p := " + Repeat("[a | [", 100) + "b"));
}

// Found by fuzzing: each level of a nest was tried twice.
TEST(Limits, ATermThatIsNeverReadyIsNotTriedForEver) {
  const auto nest =
      Load("p if { " + Repeat("nothing(y) <= (a / ", 80) + "1" + Repeat(")", 80) + " }");
  ASSERT_FALSE(nest);
  EXPECT_NE(nest.error().message().find("undefined function nothing"), std::string::npos)
      << nest.error().message();
  EXPECT_FALSE(Load("p if { q := " + Repeat("[1 + ", 100) + "y" + Repeat("]", 100) + " }"));
  // Each level binds a variable and then waits for one that never comes.
  for (const int depth : {12, 30, 100}) {
    std::string pattern = "z + 1";
    for (int i = 0; i < depth; ++i)
      pattern = "[x" + std::to_string(i) + ", " + pattern + "]";
    EXPECT_FALSE(Load("p if { " + pattern + " = input; z == y }")) << depth;
    for (int i = 0; i < depth; ++i)
      pattern = "[" + pattern + ", x" + std::to_string(i) + "]";
    EXPECT_FALSE(Load("p if { " + pattern + " = input; z == y }")) << depth;
  }
}

TEST(Limits, OrderingHasABudget) {
  std::string backwards;
  for (int i = 20'000; i > 0; --i)
    backwards += "x" + std::to_string(i) + " = x" + std::to_string(i - 1) + " + 1\n";
  const auto engine = Load("p if {\n" + backwards + "x0 = 1\n}");
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), Code::kResourceExhausted);
  EXPECT_NE(engine.error().message().find("1000000 steps"), std::string::npos)
      << engine.error().message();
}

TEST(Limits, ManyUnknownFunctionsAreNamedInTime) {
  std::string calls;
  for (int i = 0; i < 10'000; ++i)
    calls += "p if is_numbex" + std::to_string(i) + "(1)\n";
  const auto many = Load(calls);
  ASSERT_FALSE(many);
  EXPECT_NE(many.error().message().find("and 9990 more"), std::string::npos)
      << many.error().message();
  EXPECT_FALSE(Load("p if " + std::string(1 << 20, 'x') + "(1)"));
}

TEST(Limits, PolicySize) {
  Options options;
  options.limits.policy_bytes = 1'000;
  const auto engine = Load("# " + std::string(2'000, 'x'), options);
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code(), Code::kResourceExhausted);
}

TEST(Limits, StepsBoundJoins) {
  json numbers = json::array();
  for (int i = 0; i < 2'000; ++i)
    numbers.push_back(i);
  EXPECT_EQ(Outcome("p if { some a in input; some b in input; some c in input; a + b + c == -1 }",
                    numbers),
            Code::kResourceExhausted);
}

TEST(Limits, MemoryBoundsWhatIsBuilt) {
  Options options;
  options.limits.memory_bytes = 8U << 20;
  EXPECT_EQ(Outcome("p := [[a, b, c] | some a in input; some b in input; some c in input]",
                    json::parse("[" + Repeat("1,", 300) + "1]"), options),
            Code::kResourceExhausted);
  // Doubling strings: 2^40 bytes, were they made.
  std::string text = "s0 := \"" + std::string(1'000, 'x') + "\"\n";
  for (int i = 1; i <= 40; ++i) {
    const std::string before = "s" + std::to_string(i - 1);
    text += "s" + std::to_string(i) + " := concat(\"\", [" + before + ", " + before + "])\n";
  }
  EXPECT_EQ(Outcome(text + "p := count(s40)", nullptr, options), Code::kResourceExhausted);
}

TEST(Limits, DeepValuesCannotBeBuilt) {
  // Each function doubles the depth.
  std::string text = "f0(x) := [x]\n";
  for (int i = 1; i <= 20; ++i) {
    const std::string f = "f" + std::to_string(i - 1);
    text += "f" + std::to_string(i) + "(x) := " + f + "(" + f + "(x))\n";
  }
  EXPECT_EQ(Outcome(text + "p := f20(1)"), Code::kResourceExhausted);
}

TEST(Limits, ValuesThatShareThemselvesAreAsHeavyAsTheyLook) {
  // Forty arrays in memory, 2^40 atoms to walk.
  std::string text = "x0 := [input]\ny0 := [input]\n";
  for (int i = 1; i <= 40; ++i) {
    for (const char* name : {"x", "y"}) {
      const std::string before = name + std::to_string(i - 1);
      text += name + std::to_string(i) + " := [" + before + ", " + before + "]\n";
    }
  }
  EXPECT_EQ(Outcome(text + "p if x40 == y40", 1), Code::kResourceExhausted);
  EXPECT_EQ(Outcome(text + "p := x40", 1), Code::kResourceExhausted);
}

TEST(Limits, WhatABuiltinMakesBesideValuesCounts) {
  // A string of 400 MB, were it made; no value before it is there.
  Options options;
  options.limits.memory_bytes = 32U << 20;
  EXPECT_EQ(
      Outcome("p := sprintf(input.format, [input.text])",
              {{"format", Repeat("%[1]s", 2'000)}, {"text", std::string(200'000, 'x')}}, options),
      Code::kResourceExhausted);
}

TEST(Limits, OutputIsBounded) {
  Options options;
  options.limits.output_bytes = 1'000;
  EXPECT_EQ(Outcome("p := numbers.range(1, 1000)", nullptr, options), Code::kResourceExhausted);
}

TEST(Limits, LongChainsOfRulesAreTooDeep) {
  std::string text = "r0 := 1 if input.x\n";
  for (int i = 1; i <= 5'000; ++i)
    text += "r" + std::to_string(i) + " if r" + std::to_string(i - 1) + " == 1\n";
  EXPECT_EQ(Outcome(text + "p if r5000", {{"x", true}}), Code::kResourceExhausted);
}

TEST(Limits, ManyScansInOneBodyAreTooDeep) {
  std::string text = "p if {\n";
  for (int i = 0; i < 10'000; ++i)
    text += "\tsome x" + std::to_string(i) + " in [1]\n";
  EXPECT_EQ(Outcome(text + "}"), Code::kResourceExhausted);
}

TEST(Limits, DeepInputIsRefused) {
  const auto engine = Load("p := input");
  json deep = 1;
  for (int i = 0; i < 2'000; ++i)
    deep = json::array({std::move(deep)});
  EXPECT_EQ((*engine)->Query("t.p", deep).error().code(), Code::kInvalidArgument);
}

TEST(Limits, HugeNumbers) {
  EXPECT_FALSE(Load("p := " + std::string(10'000, '9')));
  EXPECT_FALSE(Load("p := 1e99999999"));
  EXPECT_EQ(Outcome("p := 1e1000000 + 1"), Code::kResourceExhausted);
  // Squaring for ever.
  std::string text = "n0 := 99999999999999999999\n";
  for (int i = 1; i <= 30; ++i) {
    const std::string before = "n" + std::to_string(i - 1);
    text += "n" + std::to_string(i) + " := " + before + " * " + before + "\n";
  }
  EXPECT_EQ(Outcome(text + "p := n30"), Code::kResourceExhausted);
}

TEST(Limits, RegexBombs) {
  Options options;
  options.limits.regex_bytes = 1'000;
  EXPECT_EQ(Outcome("p if regex.match(input, \"a\")", std::string(2'000, 'a'), options),
            Code::kResourceExhausted);
  // RE2 takes no exponential time, and refuses programs that are too large.
  const auto engine = Load("p if regex.match(`(a*)*(a*)*b`, input)");
  const auto answer = (*engine)->Query("t.p", std::string(100'000, 'a'));
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_FALSE(answer->value);
  const auto large = Load("p if regex.match(`((a{100}){100}){100}`, \"a\")");
  ASSERT_TRUE((*large)->Query("t.p", nullptr));
  EXPECT_FALSE((*large)->Query("t.p", nullptr)->value);
}

TEST(Limits, PatternsInUseAreKeptAndOthersDropped) {
  EngineCaches caches(1'000);
  const auto use = [&caches](int first, int count) {
    const RE2* out = *caches.Regex(std::to_string(first));
    for (int i = first; i < first + count; ++i)
      EXPECT_TRUE(caches.Regex(std::to_string(i)));
    caches.Trim();
    return out;
  };
  // A policy's own, however many, stay compiled.
  const RE2* mine = use(0, 1'000);
  EXPECT_EQ(use(0, 1'000), mine);
  EXPECT_EQ(use(0, 1'000), mine);
  // What an input brought is gone after a while, and no query fails for what others left.
  for (int i = 1; i < 40; ++i)
    use(1'000 * i, 1'000);
  EXPECT_FALSE([&] {
    for (int i = 0; i < 10'000; ++i) {
      if (!caches.Regex("x" + std::to_string(i))) return false;
    }
    return true;
  }());
}

TEST(Limits, RecursionThroughWithIsFinite) {
  const auto engine =
      Load("f(x) := g(x)\ng(x) := x\nh(x) := f(x)\np := y if y := f(1) with g as h");
  ASSERT_TRUE(engine) << engine.error().message();
  EXPECT_EQ((*engine)->Query("t.p", nullptr)->value->dump(), "1");
  // Through data: the compiler sees that t[x] may be any rule.
  EXPECT_FALSE(Load("p := data.t[input.x]"));
}

TEST(Limits, NestedWithIsBounded) {
  EXPECT_EQ(
      Outcome("q if { some i in numbers.range(1, 100000); r with input as i }\nr if input == -1\n"
              "p if { some j in numbers.range(1, 100000); q with input as j }"),
      Code::kResourceExhausted);
}

TEST(Limits, PrintsAreBounded) {
  Options options;
  options.limits.print_bytes = 10'000;
  const auto engine =
      Load("p := count([1 | some i in numbers.range(1, 100000); print(i)])", options);
  const auto answer = (*engine)->Query("t.p", nullptr);
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_LE(answer->prints.size(), 10'000U);
}

TEST(Limits, AnyBytesAreNoCrash) {
  std::string text;
  for (int i = 0; i < 256; ++i)
    text.push_back(static_cast<char>(i));
  EXPECT_FALSE(Load(text));
  EXPECT_FALSE(Load(std::string(1'000, '\0')));
  EXPECT_FALSE(Load("p := \"\xff"));
  EXPECT_FALSE(Engine::Load({{"m", ""}}, json::object()));
  EXPECT_FALSE(Engine::Load({{"m", "package"}}, json::object()));
  EXPECT_FALSE(Engine::Load({{"m", "package a.b.c\np if"}}, json::object()));
}

TEST(Limits, AnEngineWorksOnAfterAnError) {
  Options options;
  options.limits.steps = 1'000;
  const auto engine = Load("p := count([1 | some a in input; some b in input])\nq := 1", options);
  json numbers = json::array();
  for (int i = 0; i < 100; ++i)
    numbers.push_back(i);
  EXPECT_FALSE((*engine)->Query("t.p", numbers));
  EXPECT_EQ((*engine)->Query("t.q", nullptr)->value->dump(), "1");
  EXPECT_EQ((*engine)->Query("t.p", json::array({1}))->value->dump(), "1");
}

}  // namespace
}  // namespace kata_cc::policy
