// SPDX-License-Identifier: Apache-2.0
// Encodings: base64, base64url, hex, JSON, URL queries.
#include <array>
#include <map>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy {
namespace {

// Strings are UTF-8: other bytes of a decoded text become U+FFFD.
Value Decoded(const std::string& bytes) {
  return Value::String(ValidUtf8(bytes));
}

template <Base64 kAlphabet>
BuiltinResult ToBase64(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size() * 2));
  return Value::String(EncodeBase64(text, kAlphabet));
}

BuiltinResult FromBase64(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  return Decoded(TRY(DecodeBase64(text, Base64::kStandard)));
}

BuiltinResult IsBase64(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  return Value::Bool(DecodeBase64(text, Base64::kStandard).has_value());
}

BuiltinResult FromBase64Url(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  const bool padded = text.find('=') != std::string_view::npos;
  return Decoded(TRY(DecodeBase64(text, padded ? Base64::kUrl : Base64::kUrlNoPadding)));
}

BuiltinResult ToHex(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size() * 2));
  return Value::String(EncodeHex(text));
}

BuiltinResult FromHex(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  return Decoded(TRY(DecodeHex(text)));
}

// About the size of the value's text, charged node by node: each has a line of its own that begins
// with `line` bytes, deeper ones with `indent` more.
Result<void> ChargeTree(BuiltinContext& context, const Value& value, std::uint64_t line,
                        std::uint64_t indent) {
  if (value.is_string()) return ChargeBytes(context, value.size() + 2 + line);
  TRY(context.Charge(1, 8 + line));
  if (value.is_array() || value.is_set()) {
    for (const Value& item : value.items())
      TRY(ChargeTree(context, item, line + indent, indent));
  }
  if (value.is_object()) {
    for (const Member& member : value.members()) {
      TRY(ChargeTree(context, member.key, 0, 0));
      TRY(ChargeTree(context, member.value, line + indent, indent));
    }
  }
  return {};
}

BuiltinResult JsonMarshal(BuiltinContext& context, Operands x) {
  TRY(ChargeTree(context, x[0], 0, 0));
  return Value::String(ToJsonText(x[0]));
}

struct JsonStyle {
  std::string_view prefix, indent = "\t";
};

void AppendIndented(const Value& value, const JsonStyle& style, std::size_t depth,
                    std::string& out) {
  const auto line = [&](std::size_t level) {
    out.append("\n").append(style.prefix);
    for (std::size_t i = 0; i < level; ++i)
      out += style.indent;
  };
  const bool composite = value.is_array() || value.is_set() || value.is_object();
  if (!composite || value.size() == 0) {
    out += ToJsonText(value);
    return;
  }
  out += value.is_object() ? '{' : '[';
  bool first = true;
  const auto next = [&] {
    if (!first) out += ',';
    first = false;
    line(depth + 1);
  };
  if (value.is_object()) {
    // Keys in the order of their JSON text, as Go's encoder has them.
    std::map<std::string, const Value*> members;
    for (const Member& member : value.members()) {
      members[member.key.is_string() ? std::string(member.key.string()) : ToJsonText(member.key)] =
          &member.value;
    }
    for (const auto& [key, member] : members) {
      next();
      out += ToJsonText(Value::String(key)) + ": ";
      AppendIndented(*member, style, depth + 1, out);
    }
  } else {
    for (const Value& item : value.items()) {
      next();
      AppendIndented(item, style, depth + 1, out);
    }
  }
  line(depth);
  out += value.is_object() ? '}' : ']';
}

BuiltinResult JsonMarshalWithOptions(BuiltinContext& context, Operands x) {
  const Value* options = TRY(ObjectOperand(x, 1));
  JsonStyle style;
  std::optional<bool> pretty;
  for (const Member& member : options->members()) {
    const std::string_view key = member.key.is_string() ? member.key.string() : "";
    const bool text = key == "prefix" || key == "indent";
    if (text && !member.value.is_string()) {
      return OperandError(2, "key " + std::string(key) + " failed cast to string");
    }
    if (key == "prefix") {
      style.prefix = member.value.string();
    } else if (key == "indent") {
      style.indent = member.value.string();
    } else if (key == "pretty") {
      if (!member.value.is_boolean()) {
        return OperandError(2, "key pretty failed cast to bool");
      }
      pretty = member.value.boolean();
      continue;
    } else {
      return OperandError(2, "object contained unknown key " + ToTermText(member.key));
    }
    if (!pretty) pretty = true;
  }
  if (const Value* chosen = options->Find("pretty"); chosen != nullptr) pretty = chosen->boolean();
  if (!pretty.value_or(false)) return JsonMarshal(context, x.first(1));
  TRY(ChargeTree(context, x[0], 1 + style.prefix.size(), style.indent.size()));
  std::string out(style.prefix);
  AppendIndented(x[0], style, 0, out);
  return Value::String(out);
}

BuiltinResult JsonUnmarshal(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(text.size() / 4, text.size() * 4));
  auto value = ParseJson(text);
  if (!value) return BuiltinError(value.error().message());
  return *std::move(value);
}

BuiltinResult JsonIsValid(BuiltinContext& context, Operands x) {
  if (!x[0].is_string()) return Value::Bool(false);
  TRY(context.Charge(x[0].size() / 4, x[0].size() * 4));
  return Value::Bool(ParseJson(x[0].string()).has_value());
}

BuiltinResult QueryEncode(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size() * 3));
  return Value::String(EscapeQuery(text));
}

BuiltinResult QueryDecode(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  return Decoded(TRY(UnescapeQuery(text)));
}

BuiltinResult QueryEncodeObject(BuiltinContext& context, Operands x) {
  const Value* object = TRY(ObjectOperand(x, 0));
  std::string out;
  const auto add = [&](const Value& key, const Value& value) -> Result<void> {
    TRY(ChargeBytes(context, (key.size() + value.size()) * 3));
    if (!out.empty()) out += '&';
    out += EscapeQuery(key.string()) + "=" + EscapeQuery(value.string());
    return {};
  };
  for (const Member& member : object->members()) {
    if (!member.key.is_string()) return OperandError(1, "object keys must be strings");
    if (member.value.is_string()) {
      TRY(add(member.key, member.value));
      continue;
    }
    if (!member.value.is_array() && !member.value.is_set()) {
      return OperandError(1, "object values must be string, array[string] or set[string]");
    }
    for (const Value& item : member.value.items()) {
      if (!item.is_string()) return OperandError(1, "object values must hold strings");
      TRY(add(member.key, item));
    }
  }
  return Value::String(out);
}

BuiltinResult QueryDecodeObject(BuiltinContext& context, Operands x) {
  std::string_view rest = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, rest.size() * 4));
  std::map<std::string, std::vector<Value>> found;
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (pair.empty()) continue;
    if (pair.find(';') != std::string_view::npos) {
      return BuiltinError("invalid semicolon separator in query");
    }
    const std::size_t equals = pair.find('=');
    const std::string key = TRY(UnescapeQuery(pair.substr(0, equals)));
    const std::string value = TRY(UnescapeQuery(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1)));
    TRY(context.Charge(2, sizeof(Value) * 4));
    found[ValidUtf8(key)].push_back(Decoded(value));
  }
  std::vector<Member> members;
  for (auto& [key, values] : found) {
    members.push_back({Value::String(key), Value::Array(std::move(values))});
  }
  return Value::Object(std::move(members));
}

}  // namespace

std::span<const Builtin> EncodingBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"base64.encode", 1, ToBase64<Base64::kStandard>},
      Builtin{"base64.decode", 1, FromBase64},
      Builtin{"base64.is_valid", 1, IsBase64},
      Builtin{"base64url.encode", 1, ToBase64<Base64::kUrl>},
      Builtin{"base64url.encode_no_pad", 1, ToBase64<Base64::kUrlNoPadding>},
      Builtin{"base64url.decode", 1, FromBase64Url},
      Builtin{"hex.encode", 1, ToHex},
      Builtin{"hex.decode", 1, FromHex},
      Builtin{"json.marshal", 1, JsonMarshal},
      Builtin{"json.marshal_with_options", 2, JsonMarshalWithOptions},
      Builtin{"json.unmarshal", 1, JsonUnmarshal},
      Builtin{"json.is_valid", 1, JsonIsValid},
      Builtin{"urlquery.encode", 1, QueryEncode},
      Builtin{"urlquery.decode", 1, QueryDecode},
      Builtin{"urlquery.encode_object", 1, QueryEncodeObject},
      Builtin{"urlquery.decode_object", 1, QueryDecodeObject},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
