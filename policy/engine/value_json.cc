// SPDX-License-Identifier: Apache-2.0
// Values to JSON and Rego text.
#include <array>
#include <charconv>
#include <cmath>

#include "policy/engine/utf8.h"
#include "policy/engine/value.h"

namespace kata_cc::policy {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void AppendString(std::string_view text, bool html, std::string& out) {
  out.push_back('"');
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      const std::size_t length = Utf8Length(text.substr(i));
      const std::string_view sequence = text.substr(i, std::max<std::size_t>(length, 1));
      if (length == 0) {
        out.append(html ? "\\ufffd" : "\xef\xbf\xbd");
      } else if (html && (sequence == "\xe2\x80\xa8" || sequence == "\xe2\x80\xa9")) {
        out.append(sequence.back() == '\xa8' ? "\\u2028" : "\\u2029");
      } else {
        out.append(sequence);
      }
      i += sequence.size();
      continue;
    }
    ++i;
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\r') {
      out.append("\\r");
    } else if (c == '\t') {
      out.append("\\t");
    } else if (byte < 0x20 || (html && (c == '<' || c == '>' || c == '&'))) {
      out.append("\\u00");
      out.push_back(kHex[byte >> 4U]);
      out.push_back(kHex[byte & 0xfU]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void AppendJson(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::kNull:
      out.append("null");
      return;
    case Kind::kBoolean:
      out.append(value.boolean() ? "true" : "false");
      return;
    case Kind::kNumber:
      out.append(value.NumberText());
      return;
    case Kind::kString:
      AppendString(value.string(), true, out);
      return;
    case Kind::kArray:
    case Kind::kSet: {
      char before = '[';
      for (const Value& item : value.items()) {
        out.push_back(before);
        AppendJson(item, out);
        before = ',';
      }
      if (before == '[') out.push_back('[');
      out.push_back(']');
      return;
    }
    case Kind::kObject:
      break;
  }
  char before = '{';
  for (const Member& member : value.members()) {
    out.push_back(before);
    before = ',';
    AppendString(member.key.is_string() ? std::string(member.key.string()) : ToJsonText(member.key),
                 true, out);
    out.push_back(':');
    AppendJson(member.value, out);
  }
  if (before == '{') out.push_back('{');
  out.push_back('}');
}

void AppendTerm(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Kind::kString:
      AppendString(value.string(), false, out);
      return;
    case Kind::kArray:
    case Kind::kSet: {
      const bool set = value.is_set();
      if (set && value.items().empty()) {
        out.append("set()");
        return;
      }
      out.push_back(set ? '{' : '[');
      bool first = true;
      for (const Value& item : value.items()) {
        if (!first) out.append(", ");
        first = false;
        AppendTerm(item, out);
      }
      out.push_back(set ? '}' : ']');
      return;
    }
    case Kind::kObject: {
      out.push_back('{');
      bool first = true;
      for (const Member& member : value.members()) {
        if (!first) out.append(", ");
        first = false;
        AppendTerm(member.key, out);
        out.append(": ");
        AppendTerm(member.value, out);
      }
      out.push_back('}');
      return;
    }
    default:
      AppendJson(value, out);
  }
}

}  // namespace

void AppendQuoted(std::string_view text, std::string& out) {
  AppendString(text, false, out);
}

nlohmann::json ToJson(const Value& value) {
  switch (value.kind()) {
    case Kind::kNull:
      return nullptr;
    case Kind::kBoolean:
      return value.boolean();
    case Kind::kNumber:
      if (const auto small = value.ToInt64()) return *small;
      if (value.is_integer() && !value.ToDecimal().is_negative()) {
        std::uint64_t number = 0;
        const std::string text = value.ToDecimal().ToText();
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error == std::errc() && end == text.data() + text.size()) return number;
      }
      return value.ToDouble();
    case Kind::kString:
      return std::string(value.string());
    case Kind::kArray:
    case Kind::kSet: {
      auto out = nlohmann::json::array();
      for (const Value& item : value.items())
        out.push_back(ToJson(item));
      return out;
    }
    case Kind::kObject:
      break;
  }
  auto out = nlohmann::json::object();
  for (const Member& member : value.members()) {
    out[member.key.is_string() ? std::string(member.key.string()) : ToJsonText(member.key)] =
        ToJson(member.value);
  }
  return out;
}

std::string ToJsonText(const Value& value) {
  std::string out;
  AppendJson(value, out);
  return out;
}

std::string ToTermText(const Value& value) {
  std::string out;
  AppendTerm(value, out);
  return out;
}

}  // namespace kata_cc::policy
