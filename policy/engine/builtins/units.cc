// SPDX-License-Identifier: Apache-2.0
// Quantities with units: units.parse ("10Ki", "500m"), units.parse_bytes ("10KiB"). Exact.
#include <array>
#include <utility>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

constexpr std::size_t kMaxExponentDigits = 3;
constexpr int kPlaces = 10;  // units.parse keeps ten decimal places of a fraction.

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

struct Amount {
  std::string_view number, unit;
};

// An exponent belongs to the number only when digits follow: "1e3K" against "10E".
Amount Split(std::string_view text) {
  std::size_t at = 0;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) ++at;
  while (at < text.size() && (IsDigit(text[at]) || text[at] == '.'))
    ++at;
  if (at < text.size() && at > 0 && (text[at] == 'e' || text[at] == 'E')) {
    std::size_t digits = at + 1;
    if (digits < text.size() && (text[digits] == '-' || text[digits] == '+')) ++digits;
    if (digits < text.size() && IsDigit(text[digits])) {
      while (digits < text.size() && IsDigit(text[digits]))
        ++digits;
      at = digits;
    }
  }
  return {text.substr(0, at), text.substr(at)};
}

std::string Unquoted(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c != '"') out += c;
  }
  return out;
}

struct Words {
  std::string_view no_amount, bad_amount, unit;
};

Result<Amount> SplitAmount(std::string_view text, const Words& words) {
  if (text.find(' ') != std::string_view::npos) {
    return BuiltinError("spaces not allowed in resource strings");
  }
  const Amount amount = Split(text);
  if (amount.number.empty()) return BuiltinError(std::string(words.no_amount));
  return amount;
}

// Go's big.Rat takes "5.", ".5", "+5" and "05", which JSON does not.
Result<Decimal> ParseNumber(std::string_view text, const Words& words) {
  const Error bad = BuiltinError(std::string(words.bad_amount));
  std::string json;
  if (text[0] == '-') json = "-";
  if (text[0] == '-' || text[0] == '+') text.remove_prefix(1);
  const std::size_t exponent = text.find_first_of("eE");
  std::string_view mantissa = text.substr(0, exponent);
  std::string_view power =
      exponent == std::string_view::npos ? std::string_view() : text.substr(exponent + 1);
  const std::size_t dot = mantissa.find('.');
  std::string_view whole = mantissa.substr(0, dot);
  std::string_view fraction =
      dot == std::string_view::npos ? std::string_view() : mantissa.substr(dot + 1);
  if (fraction.find('.') != std::string_view::npos || whole.size() + fraction.size() == 0) {
    return bad;
  }
  if (power.size() > kMaxExponentDigits + 1) return BuiltinError("exponent too large");
  while (whole.size() > 1 && whole[0] == '0')
    whole.remove_prefix(1);
  json.append(whole.empty() ? "0" : whole);
  if (!fraction.empty()) json.append(".").append(fraction);
  if (!power.empty()) json.append("e").append(power);
  auto value = Decimal::Parse(json);
  if (!value) return bad;
  return *std::move(value);
}

Result<Decimal> Power(std::int64_t base, int exponent) {
  Decimal out(1);
  for (int i = 0; i < exponent; ++i)
    out = TRY(Decimal::Multiply(out, Decimal(base)));
  return out;
}

// Rounded towards zero at `places` decimals, with all of these written out.
std::string FixedText(const Decimal& value, int places) {
  const Decimal scaled = *Decimal::Multiply(
      value.Abs(), Decimal(BigInt::PowerOfTen(static_cast<std::size_t>(places))));
  std::string digits = scaled.Round().ToBigInt().value_or(BigInt()).ToText();
  const auto least = static_cast<std::size_t>(places) + 1;
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  digits.insert(digits.size() - static_cast<std::size_t>(places), ".");
  return value.is_negative() ? "-" + digits : digits;
}

BuiltinResult Parse(BuiltinContext& context, Operands x) {
  constexpr Words kWords = {"units.parse: no amount provided",
                            "units.parse: could not parse amount to a number", "unit"};
  const std::string text = Unquoted(TRY(StringOperand(x, 0)));
  TRY(ChargeScan(context, text.size() * kBytesPerStep));
  if (text.find(' ') != std::string::npos) {
    return BuiltinError("units.parse: spaces not allowed in resource strings");
  }
  const Amount amount = TRY(SplitAmount(text, kWords));
  // "m" is milli and "M" mega; the case of the others does not matter.
  const bool milli = amount.unit == "m";
  const std::string unit = ToLower(amount.unit);
  constexpr std::pair<std::string_view, int> kDecimal[] = {{"", 0},   {"k", 3},  {"m", 6}, {"g", 9},
                                                           {"t", 12}, {"p", 15}, {"e", 18}};
  constexpr std::pair<std::string_view, int> kBinary[] = {{"ki", 10}, {"mi", 20}, {"gi", 30},
                                                          {"ti", 40}, {"pi", 50}, {"ei", 60}};
  std::optional<Decimal> factor;
  for (const auto& [name, power] : kDecimal) {
    if (name == unit) factor = TRY(Power(10, power));
  }
  for (const auto& [name, power] : kBinary) {
    if (name == unit) factor = TRY(Power(2, power));
  }
  if (milli) factor = Decimal::Parse("0.001");
  const Decimal number = TRY(ParseNumber(amount.number, kWords));
  if (!factor) {
    return BuiltinError("units.parse: unit " + std::string(amount.unit) + " not recognized");
  }
  const Decimal value = TRY(Decimal::Multiply(number, *factor));
  if (value.is_integer()) return Value::Number(value);
  auto out = Value::NumberFromText(FixedText(value, kPlaces));
  if (!out) return BuiltinError("units.parse: amount out of range");
  return *std::move(out);
}

BuiltinResult ParseBytes(BuiltinContext& context, Operands x) {
  constexpr Words kWords = {"units.parse_bytes: no byte amount provided",
                            "units.parse_bytes: could not parse byte amount to a number",
                            "byte unit"};
  const std::string text = ToLower(Unquoted(TRY(StringOperand(x, 0))));
  TRY(ChargeScan(context, text.size() * kBytesPerStep));
  if (text.find(' ') != std::string::npos) {
    return BuiltinError("units.parse_bytes: spaces not allowed in resource strings");
  }
  const Amount amount = TRY(SplitAmount(text, kWords));
  constexpr std::string_view kPrefixes = "kmgtpe";
  std::string_view unit = amount.unit;
  std::optional<Decimal> factor;
  if (unit.empty() || unit == "b") {
    factor = Decimal(1);
  } else if (const std::size_t index = kPrefixes.find(unit[0]); index != std::string_view::npos) {
    const std::string_view rest = unit.substr(1);
    const int power = static_cast<int>(index) + 1;
    if (rest.empty() || rest == "b") factor = TRY(Power(1000, power));
    if (rest == "i" || rest == "ib") factor = TRY(Power(1024, power));
  }
  const Decimal number = TRY(ParseNumber(amount.number, kWords));
  if (!factor) {
    return BuiltinError("units.parse_bytes: byte unit " + std::string(unit) + " not recognized");
  }
  const Decimal value = TRY(Decimal::Multiply(number, *factor));
  return Value::Number(value.is_negative() ? value.Ceil() : value.Floor());
}

}  // namespace

std::span<const Builtin> UnitBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"units.parse", 1, Parse},
      Builtin{"units.parse_bytes", 1, ParseBytes},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
