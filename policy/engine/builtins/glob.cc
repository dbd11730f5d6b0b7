// SPDX-License-Identifier: Apache-2.0
// Globs: glob.match, glob.quote_meta.
#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/glob_pattern.h"
#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

Result<std::vector<std::string_view>> Separators(Operands x) {
  std::vector<std::string_view> out;
  if (x[1].is_null()) return out;
  if (!x[1].is_array()) return OperandError(2, "array, null", x[1]);
  for (const Value& item : x[1].items()) {
    if (!item.is_string()) return ElementError(2, x[1], item, "string");
    if (CountRunes(item.string()) != 1) {
      return OperandError(2, "must be array of runes but got array containing string");
    }
    out.push_back(item.string());
  }
  if (out.empty()) out.push_back(".");
  return out;
}

BuiltinResult Match(BuiltinContext& context, Operands x) {
  const std::string_view pattern = TRY(StringOperand(x, 0));
  const auto separators = TRY(Separators(x));
  const std::string_view text = TRY(StringOperand(x, 2));
  std::uint64_t separator_bytes = 0;
  for (const std::string_view separator : separators)
    separator_bytes += separator.size() * 4;
  // Each wildcard repeats the separators.
  const auto wildcards = static_cast<std::uint64_t>(
      std::count_if(pattern.begin(), pattern.end(), [](char c) { return c == '*' || c == '?'; }));
  TRY(ChargeBytes(context, wildcards * separator_bytes));
  TRY(context.Charge(pattern.size() / 4 + text.size() / 4));
  const auto expression = GlobToRegex(pattern, separators);
  if (!expression) return BuiltinError(expression.error().message());
  const RE2* regex = TRY(GoRegex(context, *expression));
  return Value::Bool(RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *regex));
}

BuiltinResult QuoteMeta(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size() * 2));
  return Value::String(QuoteGlob(text));
}

}  // namespace

std::span<const Builtin> GlobBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"glob.match", 3, Match},
      Builtin{"glob.quote_meta", 1, QuoteMeta},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
