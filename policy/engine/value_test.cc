// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/value.h"

#include <gtest/gtest.h>

namespace kata_cc::policy {
namespace {

Value J(std::string_view text) {
  return *ParseJson(text);
}

TEST(Value, OrderIsRegos) {
  const std::vector<Value> ascending = {
      Value(),
      Value::Bool(false),
      Value::Bool(true),
      J("-1.5"),
      Value::Int(0),
      J("0.5"),
      J("99999999999999999999"),
      Value::String(""),
      Value::String("a"),
      Value::String("aa"),
      Value::String("b"),
      J("[]"),
      J("[1]"),
      J("[1, 2]"),
      J("[2]"),
      J("{}"),
      J(R"({"a": 1})"),
      J(R"({"a": 1, "b": 0})"),
      J(R"({"a": 2})"),
      Value::Set({}),
      Value::Set({Value::Int(1)}),
  };
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      const int order = Value::Compare(ascending[i], ascending[j]);
      EXPECT_EQ(order < 0, i < j) << i << " " << j;
      EXPECT_EQ(ascending[i] == ascending[j], i == j);
    }
  }
}

TEST(Value, NumbersAreEqualByValueAndKeepTheirText) {
  EXPECT_EQ(J("1"), J("1.0"));
  EXPECT_EQ(J("1").Hash(), J("1.0").Hash());
  EXPECT_EQ(J("100").Hash(), J("1e2").Hash());
  EXPECT_EQ(ToJsonText(J("[1.0, 1e2, 123456789012345678901234567890]")),
            "[1.0,1e2,123456789012345678901234567890]");
  EXPECT_EQ(Value::Set({J("1"), J("1.0")}).size(), 1U);
  EXPECT_EQ(J("9223372036854775807").ToInt64(), INT64_MAX);
  EXPECT_TRUE(J("9223372036854775807").is_small_int());
}

TEST(Value, ObjectsFindKeysOfAnyKindAndSize) {
  std::vector<Member> members;
  for (int i = 100; i > 0; --i) {
    members.push_back({Value::String(std::to_string(i)), Value::Int(i)});
    members.push_back({Value::Int(i), Value::Int(-i)});
    members.push_back({Value::Array(std::vector<Value>{Value::Int(i)}), Value()});
  }
  members.push_back({Value::Int(7), Value::Int(777)});
  const Value object = Value::Object(std::move(members));
  EXPECT_EQ(object.size(), 300U);
  for (int i = 1; i <= 100; ++i) {
    ASSERT_NE(object.Find(std::to_string(i)), nullptr);
    EXPECT_EQ(*object.Find(std::to_string(i)), Value::Int(i));
    ASSERT_NE(object.Find(Value::Array(std::vector<Value>{Value::Int(i)})), nullptr);
  }
  EXPECT_EQ(*object.Find(Value::Int(7)), Value::Int(777));  // The last one given.
  EXPECT_EQ(object.Find("101"), nullptr);
  EXPECT_EQ(object.Find(J("1.5")), nullptr);
  EXPECT_EQ(*object.Find(J("8.0")), Value::Int(-8));
}

TEST(Value, ArraysTakeIntegersOnly) {
  const Value array = J("[10, 20]");
  EXPECT_EQ(*array.Find(Value::Int(1)), Value::Int(20));
  EXPECT_EQ(*array.Find(J("1.0")), Value::Int(20));
  for (const char* none : {"2", "-1", "0.5", "\"0\"", "null", "18446744073709551617"})
    EXPECT_EQ(array.Find(J(none)), nullptr) << none;
}

TEST(Value, MemoryIsCountedAndGivenBack) {
  const std::int64_t before = LiveBytes();
  {
    const Value value = J(R"({"a": [1, "two", 3.5, {"b": null}], "c": "dddddddddddddddd"})");
    const Value copy = value;
    EXPECT_GT(LiveBytes(), before + 100);
  }
  EXPECT_EQ(LiveBytes(), before);
}

TEST(Json, RefusesWhatIsNoJson) {
  for (const char* bad :
       {"", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "nul", "01", "\"\\x\"", "\"\\u12\"", "\"a", "1 2",
        "{a:1}", "[1 2]", "\"\n\"", "tru", "+1", "NaN", "--1", "1e9999999"}) {
    EXPECT_FALSE(ParseJson(bad)) << bad;
  }
}

TEST(Json, DepthIsLimited) {
  const std::string deep = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  EXPECT_TRUE(ParseJson(deep));
  const std::string deeper(1'000'000, '[');
  EXPECT_FALSE(ParseJson(deeper));
  nlohmann::json nested = 1;
  for (std::size_t i = 0; i < kMaxJsonDepth; ++i)
    nested = nlohmann::json::array({std::move(nested)});
  EXPECT_TRUE(FromJson(nested));
  nested = nlohmann::json::array({std::move(nested)});
  EXPECT_FALSE(FromJson(nested));
}

TEST(Json, EscapesRoundTrip) {
  const std::string text = R"("\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\ud800x")";
  const Value value = J(text);
  EXPECT_EQ(value.string(), "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx");
  EXPECT_EQ(J(ToJsonText(value)), value);
  EXPECT_EQ(ToJsonText(Value::String("<&>\xff")), R"("\u003c\u0026\u003e\ufffd")");
}

TEST(Json, SetsAndKeysOfOtherKinds) {
  const Value set = Value::Set({Value::Int(2), Value::Int(1), Value::Int(2)});
  const Value object = Value::Object({{set, Value::Int(1)}, {Value::Int(3), Value::Bool(true)}});
  EXPECT_EQ(ToJsonText(object), R"({"3":true,"[1,2]":1})");
  EXPECT_EQ(ToTermText(object), R"({3: true, {1, 2}: 1})");
  EXPECT_EQ(ToTermText(Value::Set({})), "set()");
  EXPECT_EQ(ToJson(object).dump(), R"({"3":true,"[1,2]":1})");
}

}  // namespace
}  // namespace kata_cc::policy
