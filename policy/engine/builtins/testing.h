// SPDX-License-Identifier: Apache-2.0
// For tests of builtins: a context with small limits, and calls as rows of text.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/builtins/builtin.h"

namespace kata_cc::policy::testing {

class TestContext : public BuiltinContext {
 public:
  Result<void> Charge(std::uint64_t steps, std::uint64_t bytes) override {
    steps_ += steps;
    bytes_ += bytes;
    constexpr std::uint64_t kSteps = 2'000'000, kBytes = 64U << 20;
    if (steps_ > kSteps || bytes_ > kBytes) return Error(Code::kResourceExhausted, "limit");
    return {};
  }
  Result<const RE2*> Regex(std::string_view pattern) override {
    auto& regex = regexes_[std::string(pattern)];
    if (regex == nullptr) regex = std::make_unique<RE2>(std::string(pattern), RE2::Quiet);
    if (!regex->ok()) return Error(Code::kInvalidArgument, regex->error());
    return regex.get();
  }
  std::int64_t now_ns() const override { return 1'700'000'000'000'000'000; }
  std::uint64_t Random() override { return random_ = random_ * 6364136223846793005U + 1; }
  std::any& Kept(std::string_view key) override { return kept_[std::string(key)]; }

 private:
  std::uint64_t steps_ = 0, bytes_ = 0, random_ = 7;
  std::map<std::string, std::unique_ptr<RE2>> regexes_;
  std::map<std::string, std::any> kept_;
};

// Operands as JSON, sets as {"$set": [...]}.
inline Value WithSets(const Value& value) {
  if (value.is_object()) {
    if (const Value* set = value.Find("$set"); set != nullptr && value.size() == 1) {
      std::vector<Value> items;
      for (const Value& item : set->items())
        items.push_back(WithSets(item));
      return Value::Set(std::move(items));
    }
    std::vector<Member> members;
    for (const Member& member : value.members()) {
      members.push_back({member.key, WithSets(member.value)});
    }
    return Value::Object(std::move(members));
  }
  if (!value.is_array()) return value;
  std::vector<Value> items;
  for (const Value& item : value.items())
    items.push_back(WithSets(item));
  return Value::Array(std::move(items));
}

inline const Builtin* FindBuiltin(std::span<const BuiltinFamily> families, std::string_view name) {
  for (const BuiltinFamily& family : families) {
    for (const Builtin& builtin : family.builtins) {
      if (builtin.name == name) return &builtin;
    }
  }
  return nullptr;
}

// The result as a Rego term, "undefined", or "error: ..." ("type error: ..." and "limit: ..." for
// those kinds).
inline std::string Call(std::span<const BuiltinFamily> families, std::string_view name,
                        std::string_view operands) {
  const Builtin* builtin = FindBuiltin(families, name);
  if (builtin == nullptr || builtin->function == nullptr) return "no such builtin";
  const auto parsed = ParseJson(operands);
  if (!parsed) return "bad operands in the test: " + parsed.error().message();
  const Value values = WithSets(*parsed);
  if (values.size() != builtin->arity) return "wrong number of operands in the test";
  TestContext context;
  auto result = builtin->function(context, values.items());
  if (!result) {
    const Code code = result.error().code();
    return (code == Code::kInvalidArgument     ? "type error: "
            : code == Code::kResourceExhausted ? "limit: "
                                               : "error: ") +
           result.error().message();
  }
  return *result ? ToTermText(**result) : "undefined";
}

struct Row {
  std::string_view name, operands, want;
};

// A wanted text that ends in "..." is the beginning of what must come.
inline void ExpectRows(std::span<const BuiltinFamily> families, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const std::string got = Call(families, row.name, row.operands);
    std::string_view want = row.want;
    const bool prefix = want.size() > 3 && want.substr(want.size() - 3) == "...";
    if (prefix) want.remove_suffix(3);
    EXPECT_EQ(prefix ? std::string_view(got).substr(0, want.size()) : std::string_view(got), want)
        << row.name << row.operands << " gave " << got;
  }
}

}  // namespace kata_cc::policy::testing
