// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/go_template_functions.h"

#include <string_view>

#include "policy/engine/builtins/go_format.h"
#include "policy/engine/builtins/go_template_ast.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy::go_template {
namespace {

std::string TextOf(const Value& value, bool inside) {
  switch (value.kind()) {
    case Kind::kNull:
      return inside ? "<nil>" : "<undefined>";
    case Kind::kBoolean:
      return value.boolean() ? "true" : "false";
    case Kind::kNumber:
      return value.NumberText();
    case Kind::kString:
      return std::string(value.string());
    case Kind::kArray:
    case Kind::kSet: {
      std::string out = "[";
      for (const Value& item : value.items()) {
        out += (out.size() > 1 ? " " : "") + TextOf(item, true);
      }
      return out + "]";
    }
    case Kind::kObject:
      break;
  }
  std::string out = "map[";
  for (const Member& member : value.members()) {
    out +=
        (out.size() > 4 ? " " : "") + TextOf(member.key, true) + ":" + TextOf(member.value, true);
  }
  return out + "]";
}

bool IsText(const Item& item) {
  return item.value.is_string() || (item.value.is_number() && !item.counts);
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '\0':
        out += "\xef\xbf\xbd";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string EscapeJs(std::string_view text) {
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool named = byte < 0x20 || c == '<' || c == '>' || c == '&' || c == '=';
    if (c == '\\' || c == '\'' || c == '"') {
      out += '\\';
      out += c;
    } else if (named) {
      out += "\\u00";
      out += "0123456789ABCDEF"[byte >> 4U];
      out += "0123456789ABCDEF"[byte & 15U];
    } else {
      out += c;
    }
  }
  return out;
}

class Functions {
 public:
  explicit Functions(BuiltinContext& context) : context_(context) {}

  Result<Item> Apply(const std::string& name, const std::vector<Item>& x) {
    const bool comparison = name == "eq" || name == "ne" || name == "lt" || name == "le" ||
                            name == "gt" || name == "ge";
    const std::size_t least = comparison ? 2
                              : name == "print" || name == "println" || name == "html" ||
                                      name == "js" || name == "urlquery"
                                  ? 0
                                  : 1;
    if (x.size() < least) return TemplateError("wrong number of args for " + name);
    if (comparison) return CompareItems(name, x);
    if (name == "and" || name == "or") return x.back();
    if (name == "not") return Bool(!IsTrue(x[0]));
    if (name == "len") return Length(x[0]);
    if (name == "index") return Index(x);
    if (name == "slice") return Slice(x);
    if (name == "printf") return Printf(x);
    if (name == "call") return TemplateError("error calling call: non-function");
    const std::string text = TRY(Joined(x, name == "println"));
    TRY(ChargeBytes(context_, text.size() * 4));
    if (name == "html") return Text(EscapeHtml(text));
    if (name == "js") return Text(EscapeJs(text));
    if (name == "urlquery") return Text(EscapeQuery(text));
    return Text(text);
  }

 private:
  static Item Text(const std::string& text) { return Item{Value::String(text)}; }
  static Item Bool(bool value) { return Item{Value::Bool(value)}; }

  // Spaces go between arguments that are both no strings; println has them everywhere.
  Result<std::string> Joined(const std::vector<Item>& x, bool line) {
    std::string out;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i > 0 && (line || (!IsText(x[i]) && !IsText(x[i - 1])))) out += ' ';
      out += TRY(Printed(context_, x[i]));
    }
    return line ? out + "\n" : out;
  }

  Result<Item> Printf(const std::vector<Item>& x) {
    if (!x[0].value.is_string()) return TemplateError("wrong type for the format of printf");
    std::vector<Value> arguments;
    for (std::size_t i = 1; i < x.size(); ++i) {
      const bool number = x[i].value.is_number() && x[i].counts;
      const std::string text = number ? "" : TRY(Printed(context_, x[i]));
      arguments.push_back(number ? x[i].value : Value::String(text));
    }
    return Text(TRY(GoFormat(context_, x[0].value.string(), arguments)));
  }

  static Result<Item> Length(const Item& item) {
    std::size_t size = 0;
    if (item.value.is_number() && !item.counts) {
      size = item.value.NumberText().size();
    } else if (item.value.kind() >= Kind::kString) {
      size = item.value.size();
    } else {
      return TemplateError("error calling len: len of type " +
                           std::string(KindName(item.value.kind())));
    }
    return Item{Value::Int(static_cast<std::int64_t>(size)), true, true};
  }

  static Result<Item> Index(const std::vector<Item>& x) {
    Item at = x[0];
    for (std::size_t i = 1; i < x.size(); ++i) {
      const Value& key = x[i].value;
      if (at.value.is_object()) {
        const Value* found = at.value.Find(key);
        const Value next = found != nullptr ? *found : Value();
        at = Item{next, found != nullptr};
        continue;
      }
      if (!at.value.is_array()) return TemplateError("error calling index: can't index this");
      const auto index = x[i].counts ? key.ToInt64() : std::nullopt;
      if (!index) return TemplateError("error calling index: cannot index slice with this type");
      const Value* found = at.value.Find(key);
      if (found == nullptr) {
        return TemplateError("error calling index: index out of range: " + key.NumberText());
      }
      const Value next = *found;
      at = Item{next};
    }
    return at;
  }

  Result<Item> Slice(const std::vector<Item>& x) {
    const Value& value = x[0].value;
    if (!value.is_string() && !value.is_array()) {
      return TemplateError("error calling slice: can't slice this");
    }
    std::int64_t bounds[2] = {0, static_cast<std::int64_t>(value.size())};
    for (std::size_t i = 1; i < x.size() && i < 3; ++i) {
      const auto bound = x[i].counts ? x[i].value.ToInt64() : std::nullopt;
      if (!bound || *bound < 0 || *bound > static_cast<std::int64_t>(value.size())) {
        return TemplateError("error calling slice: index out of range");
      }
      bounds[i - 1] = *bound;
    }
    if (bounds[0] > bounds[1]) return TemplateError("error calling slice: invalid slice index");
    const auto start = static_cast<std::size_t>(bounds[0]);
    const auto count = static_cast<std::size_t>(bounds[1] - bounds[0]);
    TRY(ChargeBytes(context_, value.is_string() ? count : count * sizeof(Value)));
    if (value.is_string()) return Item{Value::String(value.string().substr(start, count))};
    return Item{Value::Array(value.items().subspan(start, count))};
  }

  Result<int> Order(const Item& a, const Item& b) {
    const bool same = (IsText(a) && IsText(b)) || (a.counts && b.counts) ||
                      (a.value.is_boolean() && b.value.is_boolean());
    if (!same) return TemplateError("incompatible types for comparison");
    if (IsText(a)) return TRY(Printed(context_, a)).compare(TRY(Printed(context_, b)));
    return Value::Compare(a.value, b.value);
  }

  Result<Item> CompareItems(const std::string& name, const std::vector<Item>& x) {
    if (name == "eq") {
      for (std::size_t i = 1; i < x.size(); ++i) {
        if (x[0].value.is_null() || x[i].value.is_null()) {
          if (x[0].value == x[i].value) return Bool(true);
          continue;
        }
        const int order = TRY(Order(x[0], x[i]));
        if (order == 0) return Bool(true);
      }
      return Bool(false);
    }
    const int order = TRY(Order(x[0], x[1]));
    if (name == "ne") return Bool(order != 0);
    if (name == "lt") return Bool(order < 0);
    if (name == "le") return Bool(order <= 0);
    return Bool(name == "gt" ? order > 0 : order >= 0);
  }
  BuiltinContext& context_;
};

}  // namespace

Result<std::string> Printed(BuiltinContext& context, const Item& item) {
  if (!item.defined) return std::string("<undefined>");
  TRY(context.Charge(item.value.weight() / 4));
  std::string text = TextOf(item.value, false);
  TRY(ChargeBytes(context, text.size()));
  return text;
}

bool IsTrue(const Item& item) {
  if (!item.defined) return false;
  const Value& value = item.value;
  switch (value.kind()) {
    case Kind::kNull:
      return false;
    case Kind::kBoolean:
      return value.boolean();
    case Kind::kNumber:
      return !item.counts || value != Value::Int(0);
    default:
      return value.size() > 0;
  }
}

Result<Item> CallFunction(BuiltinContext& context, const std::string& name,
                          const std::vector<Item>& arguments) {
  return Functions(context).Apply(name, arguments);
}

}  // namespace kata_cc::policy::go_template
