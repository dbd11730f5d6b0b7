// SPDX-License-Identifier: Apache-2.0
// Types and casts: is_*, type_name, to_number, and cast_* of old policies.
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

template <Kind kKind>
BuiltinResult IsKind(BuiltinContext&, Operands x) {
  return Value::Bool(x[0].kind() == kKind);
}

BuiltinResult TypeName(BuiltinContext&, Operands x) {
  return Value::String(KindName(x[0].kind()));
}

template <Kind kKind>
BuiltinResult CastKind(BuiltinContext&, Operands x) {
  if (x[0].kind() != kKind) return OperandError(1, KindName(kKind), x[0]);
  return x[0];
}

BuiltinResult CastArray(BuiltinContext&, Operands x) {
  if (x[0].is_array()) return x[0];
  if (x[0].is_set()) return Value::Array(x[0].items());
  return OperandError(1, "array, set", x[0]);
}

BuiltinResult CastSet(BuiltinContext& context, Operands x) {
  if (x[0].is_set()) return x[0];
  if (!x[0].is_array()) return OperandError(1, "array, set", x[0]);
  TRY(ChargeItems(context, x[0].size()));
  return Value::Set({x[0].items().begin(), x[0].items().end()});
}

// Text that Go's strconv takes as a float, as JSON writes it: no "+", no bare ".5" or "5.".
std::optional<std::string> JsonNumberText(std::string_view text) {
  std::string out;
  if (!text.empty() && text[0] == '-') out = "-";
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const std::size_t end = text.find_first_not_of("0123456789");
  std::string_view whole = text.substr(0, end);
  text.remove_prefix(whole.size());
  std::string_view fraction;
  if (!text.empty() && text[0] == '.') {
    fraction = text.substr(1, text.find_first_not_of("0123456789", 1) - 1);
    text.remove_prefix(fraction.size() + 1);
  }
  if (whole.size() + fraction.size() == 0) return std::nullopt;
  while (whole.size() > 1 && whole[0] == '0')
    whole.remove_prefix(1);
  out.append(whole.empty() ? "0" : whole);
  if (!fraction.empty()) out.append(".").append(fraction);
  return out.append(text);  // An exponent; anything else fails later.
}

bool IsNamedFloat(std::string_view text) {
  std::string lower = ToLower(text);
  if (!lower.empty() && (lower[0] == '-' || lower[0] == '+')) lower.erase(0, 1);
  return lower == "nan" || lower == "inf" || lower == "infinity";
}

BuiltinResult ToNumber(BuiltinContext& context, Operands x) {
  switch (x[0].kind()) {
    case Kind::kNull:
      return Value::Int(0);
    case Kind::kBoolean:
      return Value::Int(x[0].boolean() ? 1 : 0);
    case Kind::kNumber:
      return x[0];
    case Kind::kString:
      break;
    default:
      return OperandError(1, "null, boolean, number, string", x[0]);
  }
  const std::string_view text = x[0].string();
  TRY(ChargeScan(context, text.size() * 4));
  if (IsNamedFloat(text)) return OperandError(1, "valid number string", x[0]);
  const auto json = JsonNumberText(text);
  auto number = json ? Value::NumberFromText(*json) : std::nullopt;
  if (!number) {
    return BuiltinError("strconv.ParseFloat: parsing " + GoQuote(text) + ": invalid syntax");
  }
  return *std::move(number);
}

}  // namespace

std::span<const Builtin> TypeBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"is_null", 1, IsKind<Kind::kNull>},
      Builtin{"is_boolean", 1, IsKind<Kind::kBoolean>},
      Builtin{"is_number", 1, IsKind<Kind::kNumber>},
      Builtin{"is_string", 1, IsKind<Kind::kString>},
      Builtin{"is_array", 1, IsKind<Kind::kArray>},
      Builtin{"is_object", 1, IsKind<Kind::kObject>},
      Builtin{"is_set", 1, IsKind<Kind::kSet>},
      Builtin{"type_name", 1, TypeName},
      Builtin{"to_number", 1, ToNumber},
      Builtin{"cast_null", 1, CastKind<Kind::kNull>},
      Builtin{"cast_boolean", 1, CastKind<Kind::kBoolean>},
      Builtin{"cast_string", 1, CastKind<Kind::kString>},
      Builtin{"cast_object", 1, CastKind<Kind::kObject>},
      Builtin{"cast_array", 1, CastArray},
      Builtin{"cast_set", 1, CastSet},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
