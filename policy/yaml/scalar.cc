// SPDX-License-Identifier: Apache-2.0
#include "policy/yaml/scalar.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <string>

namespace kata_cc::policy_yaml {
namespace {

using policy::BigInt;
using policy::Value;

bool OneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool AllOf(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool IsFloat(std::string_view text) {
  const auto digits = [&text] {
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9')
      ++count;
    text.remove_prefix(count);
    return count;
  };
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  std::size_t before = digits(), after = 0;
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    after = digits();
  }
  if (before + after == 0) return false;
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

std::optional<BigInt> ParseInteger(std::string_view text) {
  std::string digits;
  for (char c : text) {
    if (c != '_') digits += c;
  }
  bool negative = false;
  std::string_view rest = digits;
  if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
    negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  unsigned base = 10;
  if (rest.substr(0, 2) == "0x") {
    base = 16;
    rest.remove_prefix(2);
  } else if (rest.substr(0, 2) == "0o" || rest.substr(0, 2) == "0b") {
    base = rest[1] == 'o' ? 8 : 2;
    rest.remove_prefix(2);
  } else if (rest.size() > 1 && rest[0] == '0') {
    base = 8;
    rest.remove_prefix(1);
  }
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  const std::string_view allowed = base == 16 ? kDigits : kDigits.substr(0, base);
  if (!AllOf(rest, allowed)) return std::nullopt;
  auto value = BigInt::Parse(rest, base);
  if (!value) return std::nullopt;
  return negative ? -*value : *value;
}

}  // namespace

std::optional<Value> ResolvePlain(std::string_view text) {
  if (OneOf(text, {"", "~", "null", "Null", "NULL"})) return Value();
  if (OneOf(text, {"true", "True", "TRUE"})) return Value::Bool(true);
  if (OneOf(text, {"false", "False", "FALSE"})) return Value::Bool(false);
  if (OneOf(text, {".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF",
                   ".nan", ".NaN", ".NAN"})) {
    return std::nullopt;
  }
  const bool may_be_number =
      (text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '+' || text[0] == '.';
  if (may_be_number) {
    if (const auto integer = ParseInteger(text)) {
      // Beyond 64 bits numbers are floating-point.
      if (integer->bits() <= 64) return Value::Number(*integer);
      const double real = integer->ToDouble();
      if (std::isfinite(real)) return Value::Double(real);
    } else if (IsFloat(text)) {
      const double real = std::strtod(std::string(text).c_str(), nullptr);
      if (std::isfinite(real)) return Value::Double(real);
    }
  }
  return Value::String(text);
}

bool ReadsAsOther(std::string_view text) {
  const auto resolved = ResolvePlain(text);
  if (!resolved || !resolved->is_string()) return true;
  if (OneOf(text, {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO",
                   "off", "Off", "OFF"})) {
    return true;
  }
  // Sexagesimal numbers and dates of YAML 1.1.
  const bool digit = text[0] >= '0' && text[0] <= '9';
  if (digit && AllOf(text, "0123456789:.") && text.find(':') != std::string_view::npos) return true;
  return digit && text.size() >= 8 && AllOf(text.substr(0, 4), "0123456789") && text[4] == '-' &&
         AllOf(text, "0123456789-:TtZz .+");
}

}  // namespace kata_cc::policy_yaml
