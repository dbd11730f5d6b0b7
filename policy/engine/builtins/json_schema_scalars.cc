// SPDX-License-Identifier: Apache-2.0
// The keywords of a JSON schema that are about strings and numbers.
#include <algorithm>
#include <utility>

#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/builtins/json_schema.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

Result<bool> Divides(const Decimal& value, const Decimal& by) {
  const std::int64_t exponent = std::min(value.exponent(), by.exponent());
  const auto scale = static_cast<std::size_t>(exponent < 0 ? -exponent : 0);
  if (scale > kMaxDigits) return Error(Code::kResourceExhausted, "number too large");
  const Decimal factor(BigInt::PowerOfTen(scale));
  const Decimal a = TRY(Decimal::Multiply(value, factor));
  const Decimal b = TRY(Decimal::Multiply(by, factor));
  const auto whole_a = a.ToBigInt();
  const auto whole_b = b.ToBigInt();
  if (!whole_a || !whole_b) return Error(Code::kResourceExhausted, "number too large");
  BigInt rest;
  BigInt::DivMod(*whole_a, *whole_b, nullptr, &rest);
  return rest.is_zero();
}

}  // namespace

Result<std::vector<SchemaError>> MatchSchemaString(BuiltinContext& context, const Value& schema,
                                                   std::string_view text) {
  std::vector<SchemaError> out;
  const auto fail = [&out](std::string_view type, std::string what) {
    out.push_back({std::string(type), "", std::move(what)});
  };
  TRY(ChargeScan(context, text.size()));
  const Value length = Value::Int(static_cast<std::int64_t>(CountRunes(text)));
  if (const Value* least = schema.Find("minLength"); least != nullptr && length < *least) {
    fail("string_gte", "String length must be greater than or equal to " + least->NumberText());
  }
  if (const Value* most = schema.Find("maxLength"); most != nullptr && length > *most) {
    fail("string_lte", "String length must be less than or equal to " + most->NumberText());
  }
  if (const Value* pattern = schema.Find("pattern"); pattern != nullptr) {
    const RE2* regex = TRY(GoRegex(context, pattern->string()));
    if (!RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *regex)) {
      fail("pattern", "Does not match pattern '" + std::string(pattern->string()) + "'");
    }
  }
  const Value* format = schema.Find("format");
  if (format != nullptr && !MatchesFormat(context, format->string(), text)) {
    fail("format", "Does not match format '" + std::string(format->string()) + "'");
  }
  return out;
}

Result<std::vector<SchemaError>> MatchSchemaNumber(const Value& schema, const Value& value) {
  std::vector<SchemaError> out;
  const auto fail = [&out](std::string_view type, std::string what) {
    out.push_back({std::string(type), "", std::move(what)});
  };
  if (const Value* multiple = schema.Find("multipleOf"); multiple != nullptr) {
    const bool divides = TRY(Divides(value.ToDecimal(), multiple->ToDecimal()));
    if (!divides) {
      fail("multiple_of", "Must be a multiple of " + multiple->NumberText());
    }
  }
  const auto limit = [&](std::string_view key, std::string_view exclusive, bool upper) {
    const Value* bound = schema.Find(key);
    const Value* strict = schema.Find(exclusive);
    const auto beyond = [&](const Value& end) { return upper ? value > end : value < end; };
    const std::string than = upper ? "Must be less than " : "Must be greater than ";
    if (strict != nullptr && strict->is_number()) {
      if (beyond(*strict) || value == *strict) {
        fail(upper ? "number_lt" : "number_gt", than + strict->NumberText());
      }
    }
    if (bound == nullptr) return;
    if (strict != nullptr && strict->is_true()) {
      if (beyond(*bound) || value == *bound) {
        fail(upper ? "number_lt" : "number_gt", than + bound->NumberText());
      }
    } else if (beyond(*bound)) {
      fail(upper ? "number_lte" : "number_gte", than + "or equal to " + bound->NumberText());
    }
  };
  limit("maximum", "exclusiveMaximum", true);
  limit("minimum", "exclusiveMinimum", false);
  return out;
}

}  // namespace kata_cc::policy
