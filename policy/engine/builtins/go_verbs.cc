// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/go_verbs.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "policy/engine/builtins/go_format.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

std::string_view TypeName(FormatArgument::Kind kind) {
  switch (kind) {
    case FormatArgument::Kind::kInt:
      return "int64";
    case FormatArgument::Kind::kBigInt:
      return "big.Int";
    case FormatArgument::Kind::kFloat:
      return "float64";
    case FormatArgument::Kind::kString:
      break;
  }
  return "string";
}

std::string Padded(std::string text, const FormatFlags& flags) {
  const std::size_t width = flags.width ? static_cast<std::size_t>(*flags.width) : 0;
  const std::size_t runes = CountRunes(text);
  if (runes >= width) return text;
  if (flags.minus) return text.append(width - runes, ' ');
  return text.insert(0, width - runes, flags.zero ? '0' : ' ');
}

std::string IntegerText(const BigInt& value, unsigned base, bool upper, std::string_view prefix,
                        FormatFlags flags) {
  const bool negative = value.is_negative();
  std::string digits = value.Abs().ToText(base);
  std::size_t least = 0;
  if (flags.precision) {
    least = static_cast<std::size_t>(*flags.precision);
    if (least == 0 && value.is_zero()) {
      flags.zero = false;
      return Padded("", flags);
    }
  } else if (flags.zero && !flags.minus && flags.width) {
    least = static_cast<std::size_t>(*flags.width);
    if ((negative || flags.plus || flags.space) && least > 0) --least;
  }
  if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
  if (upper) digits = ToUpper(digits);
  std::string sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : "";
  flags.zero = false;
  return Padded(sign + std::string(prefix) + digits, flags);
}

// Digits as C's printf writes them, the exponent as Go's.
std::string CFloat(double value, char verb, const FormatFlags& flags) {
  std::string format = "%";
  if (flags.sharp) format += '#';
  format += ".*";
  format += verb;
  const int precision = flags.precision.value_or(6);
  std::string out(
      static_cast<std::size_t>(std::snprintf(nullptr, 0, format.c_str(), precision, value)), '\0');
  std::snprintf(out.data(), out.size() + 1, format.c_str(), precision, value);
  return out;
}

std::string HexFloat(double value, char verb, const FormatFlags& flags) {
  std::string out;
  if (flags.precision) {
    out = CFloat(value, verb == 'x' ? 'a' : 'A', flags);
  } else {
    std::array<char, 64> buffer{};
    std::snprintf(buffer.data(), buffer.size(), verb == 'x' ? "%a" : "%A", value);
    out = buffer.data();
  }
  const std::size_t exponent = out.find(verb == 'x' ? 'p' : 'P');
  if (exponent != std::string::npos && exponent + 3 == out.size()) out.insert(exponent + 2, "0");
  return out;
}

std::string BinaryFloat(double value) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto mantissa = static_cast<std::int64_t>(std::ldexp(fraction, 53));
  const int shifted = mantissa == 0 ? -1074 : exponent - 53;
  return (std::signbit(value) ? "-" : "") + std::to_string(mantissa) + "p" +
         (shifted >= 0 ? "+" : "") + std::to_string(shifted);
}

std::optional<std::string> Base(const BigInt& value, char verb, const FormatFlags& flags) {
  switch (verb) {
    case 'v':
    case 'd':
      return IntegerText(value, 10, false, "", flags);
    case 'b':
      return IntegerText(value, 2, false, flags.sharp ? "0b" : "", flags);
    case 'o':
      return IntegerText(value, 8, false, flags.sharp ? "0" : "", flags);
    case 'O':
      return IntegerText(value, 8, false, "0o", flags);
    case 'x':
      return IntegerText(value, 16, false, flags.sharp ? "0x" : "", flags);
    case 'X':
      return IntegerText(value, 16, true, flags.sharp ? "0X" : "", flags);
    default:
      return std::nullopt;
  }
}

std::optional<std::string> BigInteger(const FormatArgument& argument, char verb,
                                      FormatFlags flags) {
  if (verb == 's' || verb == 'v') verb = 'd';
  return Base(argument.integer, verb, flags);
}

std::optional<std::string> Integer(const FormatArgument& argument, char verb, FormatFlags flags) {
  const std::int64_t value = argument.integer.ToInt64().value_or(0);
  const bool rune = value >= 0 && value <= 0x10ffff;
  const std::uint32_t code = rune ? static_cast<std::uint32_t>(value) : kReplacementRune;
  if (verb == 'c') {
    std::string out;
    AppendRune(code, out);
    return Padded(out, flags);
  }
  if (verb == 'q') {
    std::string out;
    AppendRune(code, out);
    out = out == "\"" ? out : GoQuote(out, flags.plus);
    if (out.size() > 1) out = out.substr(1, out.size() - 2);
    if (out == "'") out = "\\'";
    return Padded("'" + out + "'", flags);
  }
  if (verb == 'U') {
    std::string digits = ToUpper(BigInt(value).ToText(16));
    const std::size_t least = static_cast<std::size_t>(std::max(4, flags.precision.value_or(4)));
    if (digits.size() < least) digits.insert(0, least - digits.size(), '0');
    std::string out = "U+" + digits;
    if (flags.sharp && rune) {
      out += " '";
      AppendRune(code, out);
      out += "'";
    }
    flags.zero = false;
    return Padded(out, flags);
  }
  return Base(argument.integer, verb, flags);
}

std::optional<std::string> Real(const FormatArgument& argument, char verb, FormatFlags flags) {
  std::string out;
  switch (verb) {
    case 'v':
    case 'g':
    case 'G':
      if (flags.precision || (flags.sharp && verb != 'v')) {
        out = CFloat(argument.real, verb == 'G' ? 'G' : 'g', flags);
      } else {
        out = ShortestFloat(argument.real);
        if (verb == 'G') out = ToUpper(out);
      }
      break;
    case 'e':
    case 'E':
      out = CFloat(argument.real, verb, flags);
      break;
    case 'f':
    case 'F':
      out = CFloat(argument.real, 'f', flags);
      break;
    case 'x':
    case 'X':
      out = HexFloat(argument.real, verb, flags);
      break;
    case 'b':
      out = BinaryFloat(argument.real);
      break;
    default:
      return std::nullopt;
  }
  std::string sign;
  if (out[0] == '-') {
    sign = "-";
    out.erase(0, 1);
  } else if (flags.plus || flags.space) {
    sign = flags.plus ? "+" : " ";
  }
  if (flags.zero && !flags.minus && flags.width) {
    const std::size_t width = static_cast<std::size_t>(*flags.width);
    const std::size_t size = sign.size() + out.size();
    return sign + (width > size ? std::string(width - size, '0') : "") + out;
  }
  return Padded(sign + out, flags);
}

std::optional<std::string> String(const FormatArgument& argument, char verb, FormatFlags flags) {
  std::string_view text = argument.text;
  if (verb == 'x' || verb == 'X') {
    if (flags.precision && text.size() > static_cast<std::size_t>(*flags.precision)) {
      text = text.substr(0, static_cast<std::size_t>(*flags.precision));
    }
    std::string hex = verb == 'x' ? EncodeHex(text) : ToUpper(EncodeHex(text));
    const std::string prefix = flags.sharp && !hex.empty() ? std::string("0") + verb : "";
    std::string out = prefix;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      if (i > 0 && flags.space) out += " " + prefix;
      out += hex.substr(i, 2);
    }
    return Padded(out, flags);
  }
  if (verb != 's' && verb != 'v' && verb != 'q') return std::nullopt;
  if (flags.precision) {
    std::size_t end = 0;
    for (int i = 0; i < *flags.precision && end < text.size(); ++i) {
      end += RuneLength(text.substr(end));
    }
    text = text.substr(0, end);
  }
  if (verb == 'q' || (verb == 'v' && flags.sharp)) {
    const bool raw = flags.sharp && verb == 'q' && IsUtf8(text) &&
                     text.find('`') == std::string_view::npos &&
                     std::none_of(text.begin(), text.end(), [](char c) {
                       return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
                     });
    return Padded(raw ? "`" + std::string(text) + "`" : GoQuote(text, flags.plus), flags);
  }
  return Padded(std::string(text), flags);
}

}  // namespace

FormatArgument MakeFormatArgument(const Value& value) {
  FormatArgument out;
  if (value.is_string()) {
    out.text = value.string();
  } else if (!value.is_number()) {
    out.text = ToTermText(value);
  } else {
    const std::string text = value.NumberText();
    const bool plain = text.find_first_of(".eE") == std::string::npos;
    if (auto integer = plain ? value.ToDecimal().ToBigInt() : std::nullopt) {
      out.kind = integer->ToInt64() ? FormatArgument::Kind::kInt : FormatArgument::Kind::kBigInt;
      out.integer = *std::move(integer);
    } else if (const double real = value.ToDouble(); std::isfinite(real)) {
      out.kind = FormatArgument::Kind::kFloat;
      out.real = text[0] == '-' && real == 0 ? -0.0 : real;
    } else {
      out.text = text;
    }
  }
  return out;
}

std::string TypedText(const FormatArgument& argument) {
  const bool pointer = argument.kind == FormatArgument::Kind::kBigInt;
  return (pointer ? "*" : "") + std::string(TypeName(argument.kind)) + "=" +
         VerbText(argument, "v", {});
}

std::string VerbText(const FormatArgument& argument, std::string_view verb,
                     const FormatFlags& flags) {
  if (verb == "T") {
    const bool pointer = argument.kind == FormatArgument::Kind::kBigInt;
    return Padded((pointer ? "*" : "") + std::string(TypeName(argument.kind)), flags);
  }
  std::optional<std::string> text;
  if (verb.size() == 1) {
    switch (argument.kind) {
      case FormatArgument::Kind::kInt:
        text = Integer(argument, verb[0], flags);
        break;
      case FormatArgument::Kind::kBigInt:
        text = BigInteger(argument, verb[0], flags);
        break;
      case FormatArgument::Kind::kFloat:
        text = Real(argument, verb[0], flags);
        break;
      case FormatArgument::Kind::kString:
        text = String(argument, verb[0], flags);
        break;
    }
  }
  if (text) return *std::move(text);
  return "%!" + std::string(verb) + "(" + std::string(TypeName(argument.kind)) + "=" +
         VerbText(argument, "v", flags) + ")";
}

std::string ShortestFloat(double value) {
  std::array<char, 64> buffer{};
  auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                           std::chars_format::scientific)
                 .ptr;
  std::string scientific(buffer.data(), end);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  constexpr int kSmallestPlain = -4;
  constexpr int kPlainDigits = 6;  // Go's %g writes an exponent from here on.
  if (exponent < kSmallestPlain || exponent >= kPlainDigits) return scientific;
  end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed)
            .ptr;
  return {buffer.data(), end};
}

}  // namespace kata_cc::policy
