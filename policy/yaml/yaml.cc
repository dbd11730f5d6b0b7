// SPDX-License-Identifier: Apache-2.0
#include "policy/yaml/yaml.h"

#include <array>
#include <map>

#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/yaml/scalar.h"

namespace kata_cc::policy_yaml {
namespace {

using policy::Builtin;
using policy::BuiltinContext;
using policy::BuiltinResult;
using policy::Operands;
using policy::StringOperand;
using policy::Value;

bool NeedsDoubleQuotes(std::string_view text) {
  if (text.empty() || ReadsAsOther(text)) return true;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f) return true;
  }
  return !policy::IsUtf8(text);
}

bool MayBePlain(std::string_view text) {
  if (text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  if (std::string_view(",[]{}#&*!|>'\"%@`").find(text[0]) != std::string_view::npos) return false;
  if ((text[0] == '-' || text[0] == '?' || text[0] == ':') &&
      (text.size() == 1 || text[1] == ' ')) {
    return false;
  }
  if (text == "---" || text == "...") return false;
  return text.find(": ") == std::string_view::npos && text.find(" #") == std::string_view::npos;
}

std::string SingleQuoted(std::string_view text) {
  std::string out = "'";
  for (char c : text)
    out.append(c == '\'' ? "''" : std::string(1, c));
  return out + "'";
}

class YamlWriter {
 public:
  std::string Write(const Value& value) {
    Block(value, 0, false);
    return std::move(out_);
  }

 private:
  static bool IsEmpty(const Value& value) {
    return (value.is_array() || value.is_set() || value.is_object()) && value.size() == 0;
  }
  static bool IsComposite(const Value& value) {
    return (value.is_array() || value.is_set() || value.is_object()) && value.size() > 0;
  }

  void Indent(std::size_t indent) { out_.append(indent, ' '); }

  // inline_start: the first line goes on after "- ".
  void Block(const Value& value, std::size_t indent, bool inline_start) {
    if (!IsComposite(value)) {
      Scalar(value, indent);
      return;
    }
    bool first = inline_start;
    const auto line = [&] {
      if (!first) Indent(indent);
      first = false;
    };
    if (value.is_object()) {
      std::map<std::string, const Value*> members;
      for (const policy::Member& member : value.members()) {
        members[member.key.is_string() ? std::string(member.key.string())
                                       : policy::ToJsonText(member.key)] = &member.value;
      }
      for (const auto& [key, member] : members) {
        line();
        out_ += Text(key) + ":";
        if (IsComposite(*member)) {
          out_ += '\n';
          Block(*member, indent + 2, false);
        } else {
          out_ += ' ';
          Scalar(*member, indent);
        }
      }
      return;
    }
    for (const Value& item : value.items()) {
      line();
      out_ += "- ";
      Block(item, indent + 2, true);
    }
  }

  static std::string Text(std::string_view text) {
    if (NeedsDoubleQuotes(text)) return policy::GoQuote(text);
    if (text.find('\n') != std::string_view::npos) return policy::GoQuote(text);
    return MayBePlain(text) ? std::string(text) : SingleQuoted(text);
  }

  void Scalar(const Value& value, std::size_t indent) {
    if (IsEmpty(value)) {
      out_ += value.is_object() ? "{}" : "[]";
    } else if (!value.is_string()) {
      out_ += policy::ToJsonText(value);
    } else if (value.string().find('\n') != std::string_view::npos &&
               !NeedsDoubleQuotes(value.string())) {
      Literal(value.string(), indent + 2);
      return;
    } else {
      out_ += Text(value.string());
    }
    out_ += '\n';
  }

  void Literal(std::string_view text, std::size_t indent) {
    out_ += '|';
    if (text[0] == ' ' || text[0] == '\n') out_ += '2';
    const bool ends = text.back() == '\n';
    if (!ends) {
      out_ += '-';
    } else if (text.size() == 1 || text[text.size() - 2] == '\n') {
      out_ += '+';
    }
    out_ += '\n';
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (end > 0) Indent(indent);
      out_.append(text.substr(0, end)).append("\n");
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }

  std::string out_;
};

Result<void> ChargeTree(BuiltinContext& context, const Value& value, std::size_t depth) {
  if (value.is_string()) return policy::ChargeBytes(context, value.size() * 2 + depth * 2 + 4);
  TRY(context.Charge(1, depth * 2 + 16));
  if (value.is_array() || value.is_set()) {
    for (const Value& item : value.items())
      TRY(ChargeTree(context, item, depth + 1));
  }
  if (value.is_object()) {
    for (const policy::Member& member : value.members()) {
      TRY(ChargeTree(context, member.key, depth));
      TRY(ChargeTree(context, member.value, depth + 1));
    }
  }
  return {};
}

BuiltinResult Marshal(BuiltinContext& context, Operands x) {
  TRY(ChargeTree(context, x[0], 0));
  return Value::String(ToYaml(x[0]));
}

BuiltinResult Unmarshal(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  Value value = TRY(ParseYaml(context, text));
  return value;
}

BuiltinResult IsValid(BuiltinContext& context, Operands x) {
  if (!x[0].is_string()) return Value::Bool(false);
  auto value = ParseYaml(context, x[0].string());
  if (!value && value.error().code() == Code::kResourceExhausted) return std::move(value).error();
  return Value::Bool(value.has_value());
}

}  // namespace

std::string ToYaml(const Value& value) {
  return YamlWriter().Write(value);
}

policy::BuiltinFamily Family() {
  static constexpr std::array kBuiltins = {
      Builtin{"yaml.marshal", 1, Marshal},
      Builtin{"yaml.unmarshal", 1, Unmarshal},
      Builtin{"yaml.is_valid", 1, IsValid},
  };
  return {"yaml", kBuiltins};
}

}  // namespace kata_cc::policy_yaml
