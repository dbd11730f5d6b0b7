// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/parser.h"

#include <gtest/gtest.h>

namespace kata_cc::policy {
namespace {

// The constant that the text is, as Rego; "no" if it is none or cannot be read.
std::string Constant(std::string_view text, const ParseOptions& options = {}) {
  const auto value = ParseGroundTerm(text, options);
  return value ? ToTermText(*value) : "no";
}

// How the rule's value came out: a constant, or what it has to be evaluated as.
TermKind KindOf(const std::string& value) {
  const auto module = ParseModule("m.rego", "package t\np := " + value + "\n", {});
  EXPECT_TRUE(module) << module.error().message();
  return module ? module->rules[0].value->kind : TermKind::kVar;
}

std::string ErrorOf(const std::string& text) {
  const auto module = ParseModule("m.rego", "package t\n" + text, {});
  return module ? "parses" : module.error().message();
}

TEST(Parser, ConstantsAreFolded) {
  EXPECT_EQ(Constant(R"({"b": [1, -2.5, null,], "a": {true, "x"},})"),
            R"({"a": {true, "x"}, "b": [1, -2.5, null]})");
  EXPECT_EQ(Constant(R"({"a": 1, "a": 2})"), R"({"a": 2})");
  EXPECT_EQ(Constant("[{}, [], set(), {1,},]"), "[{}, [], set(), {1}]");
  EXPECT_EQ(KindOf(R"([{"a": [1, {2, 3}]}, "b"])"), TermKind::kScalar);
  EXPECT_EQ(KindOf(R"({"a": [1, {2, input.x}]})"), TermKind::kObject);
}

TEST(Parser, WhatOnlyLooksLikeAConstantIsNone) {
  EXPECT_EQ(KindOf("[1, 2][0]"), TermKind::kRef);
  EXPECT_EQ(KindOf("[[1, 2][0], 3]"), TermKind::kArray);
  EXPECT_EQ(KindOf(R"({"a": {"b": 1}["b"]})"), TermKind::kObject);
  EXPECT_EQ(KindOf("[3 - 1]"), TermKind::kArray);
  EXPECT_EQ(KindOf("[true | true]"), TermKind::kArrayOf);
  // Many of them, one in the other: no more than a few trials.
  std::string nested = "1";
  for (int i = 0; i < 100; ++i)
    nested = "[[" + nested + "][0]]";
  EXPECT_EQ(KindOf(nested), TermKind::kArray);
}

TEST(Parser, BadConstantsHaveAPlace) {
  EXPECT_EQ(ErrorOf("p := [1 2]"), "m.rego:2:9: expected ',', at 2");
  EXPECT_EQ(ErrorOf("p := {\"a\": 1, \"b\"}"), "m.rego:2:18: expected ':', at }");
  EXPECT_EQ(ErrorOf("p := [,]"), "m.rego:2:7: expected a term, at ,");
  EXPECT_EQ(ErrorOf("p := [- 1]"), "m.rego:2:7: expected a term, at -");
  EXPECT_EQ(ErrorOf("p := [1}"), "m.rego:2:8: expected ',', at }");
  EXPECT_EQ(ErrorOf("p := [1"), "m.rego:2:8: expected ',', at the end of the text");
  EXPECT_EQ(ErrorOf("p := {\"a\": 1e9999999999}"), "m.rego:2:12: number out of range");
}

TEST(Parser, ConstantsAreNoDeeperThanTheLimit) {
  ParseOptions options;
  options.depth = 10;
  EXPECT_EQ(Constant("[[[1]]]", options), "[[[1]]]");
  EXPECT_EQ(Constant("[[[[[[[[[[[1]]]]]]]]]]]", options), "no");
}

}  // namespace
}  // namespace kata_cc::policy
