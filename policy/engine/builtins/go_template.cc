// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/go_template.h"

#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/go_format.h"
#include "policy/engine/builtins/go_template_ast.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/url.h"

namespace kata_cc::policy {
namespace go_template {
namespace {

// Numbers of the variables are text to a template (Go's json.Number); those written in it count.
struct Item {
  Value value;
  bool defined = true;
  bool counts = false;  // A number written in the template, or made by len.
};

std::string Printed(const Value& value, bool inside) {
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
        out += (out.size() > 1 ? " " : "") + Printed(item, true);
      }
      return out + "]";
    }
    case Kind::kObject:
      break;
  }
  std::string out = "map[";
  for (const Member& member : value.members()) {
    out +=
        (out.size() > 4 ? " " : "") + Printed(member.key, true) + ":" + Printed(member.value, true);
  }
  return out + "]";
}

std::string Printed(const Item& item) {
  return item.defined ? Printed(item.value, false) : "<undefined>";
}

bool IsText(const Item& item) {
  return item.value.is_string() || (item.value.is_number() && !item.counts);
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

enum class Flow { kNext, kBreak, kContinue };

class Renderer {
 public:
  Renderer(BuiltinContext& context, const Template& parsed) : context_(context), parsed_(parsed) {}

  Result<std::string> Render(const Value& variables) {
    const std::size_t mark = scope_.size();
    scope_.emplace_back("$", Item{variables});
    TRY(Run(parsed_.bodies.find("")->second, Item{variables}));
    scope_.resize(mark);
    return std::move(out_);
  }

 private:
  Result<void> Write(std::string_view text) {
    TRY(ChargeBytes(context_, text.size()));
    out_ += text;
    return {};
  }

  Result<Flow> Run(const std::vector<Node>& nodes, const Item& dot) {
    if (++depth_ > kMaxTemplateDepth) return TemplateError("exceeded maximum template depth");
    const std::size_t mark = scope_.size();
    Flow flow = Flow::kNext;
    for (const Node& node : nodes) {
      TRY(context_.Charge(2));
      flow = TRY(RunNode(node, dot));
      if (flow != Flow::kNext) break;
    }
    scope_.resize(mark);
    --depth_;
    return flow;
  }

  Result<Flow> RunNode(const Node& node, const Item& dot) {
    switch (node.kind) {
      case Node::Kind::kText:
        TRY(Write(node.text));
        return Flow::kNext;
      case Node::Kind::kBreak:
        return Flow::kBreak;
      case Node::Kind::kContinue:
        return Flow::kContinue;
      case Node::Kind::kAction: {
        const Item item = TRY(Evaluate(node.pipeline, dot));
        if (node.pipeline.variables.empty()) TRY(Write(Printed(item)));
        return Flow::kNext;
      }
      case Node::Kind::kIf:
      case Node::Kind::kWith: {
        const std::size_t mark = scope_.size();
        const Item item = TRY(Evaluate(node.pipeline, dot));
        const bool holds = IsTrue(item);
        const Item& inner = node.kind == Node::Kind::kWith && holds ? item : dot;
        const Flow flow = TRY(Run(holds ? node.body : node.otherwise, inner));
        scope_.resize(mark);
        return flow;
      }
      case Node::Kind::kRange:
        return RunRange(node, dot);
      case Node::Kind::kTemplate:
        break;
    }
    const auto body = parsed_.bodies.find(node.text);
    if (body == parsed_.bodies.end()) {
      return TemplateError("template " + GoQuote(node.text) + " not defined");
    }
    Item argument{Value(), false};
    if (!node.pipeline.commands.empty()) argument = TRY(Evaluate(node.pipeline, dot));
    std::vector<std::pair<std::string, Item>> outer;
    outer.swap(scope_);
    scope_.emplace_back("$", argument);
    TRY(Run(body->second, argument));
    outer.swap(scope_);
    return Flow::kNext;
  }

  Result<Flow> RunRange(const Node& node, const Item& dot) {
    const std::size_t mark = scope_.size();
    Pipeline pipeline = node.pipeline;
    pipeline.variables.clear();
    const Item items = TRY(Evaluate(pipeline, dot));
    std::vector<std::pair<Item, Item>> pairs;
    if (items.value.is_object()) {
      for (const Member& member : items.value.members()) {
        pairs.push_back({Item{member.key}, Item{member.value}});
      }
    } else if (items.value.is_array() || items.value.is_set()) {
      for (const Value& item : items.value.items()) {
        const auto index = static_cast<std::int64_t>(pairs.size());
        pairs.push_back({Item{Value::Int(index), true, true}, Item{item}});
      }
    } else if (items.counts) {
      const std::int64_t count = items.value.ToInt64().value_or(0);
      TRY(context_.Charge(count > 0 ? static_cast<std::uint64_t>(count) : 0,
                          count > 0 ? static_cast<std::uint64_t>(count) * sizeof(Item) * 2 : 0));
      for (std::int64_t i = 0; i < count; ++i) {
        pairs.push_back({Item{Value::Int(i), true, true}, Item{Value::Int(i), true, true}});
      }
    } else if (!items.value.is_null()) {
      return TemplateError("range can't iterate over " + Printed(items));
    }
    Flow flow = Flow::kNext;
    for (const auto& [key, value] : pairs) {
      TRY(context_.Charge(2));
      const auto& names = node.pipeline.variables;
      if (names.size() == 1) Assign(names[0], value, node.pipeline.declares);
      if (names.size() > 1) {
        Assign(names[0], key, node.pipeline.declares);
        Assign(names[1], value, node.pipeline.declares);
      }
      flow = TRY(Run(node.body, value));
      scope_.resize(mark);
      if (flow == Flow::kBreak) break;
    }
    if (!pairs.empty()) return Flow::kNext;
    flow = TRY(Run(node.otherwise, dot));
    return flow;
  }

  void Assign(const std::string& name, const Item& item, bool declare) {
    if (!declare) {
      for (auto known = scope_.rbegin(); known != scope_.rend(); ++known) {
        if (known->first != name) continue;
        known->second = item;
        return;
      }
    }
    scope_.emplace_back(name, item);
  }

  Result<Item> Evaluate(const Pipeline& pipeline, const Item& dot) {
    std::optional<Item> last;
    for (const Command& command : pipeline.commands) {
      last = TRY(Run(command, dot, last ? &*last : nullptr));
    }
    if (!last) return TemplateError("missing value for command");
    for (const std::string& name : pipeline.variables)
      Assign(name, *last, pipeline.declares);
    return *std::move(last);
  }

  Result<Item> Run(const Command& command, const Item& dot, const Item* last) {
    TRY(context_.Charge(2));
    const Operand& first = command.operands[0];
    if (first.kind == Operand::Kind::kFunction) return Call(command, dot, last);
    if (command.operands.size() > 1 || last != nullptr) {
      return TemplateError("can't give argument to non-function");
    }
    if (first.kind == Operand::Kind::kNil) return TemplateError("nil is not a command");
    return Get(first, dot);
  }

  Result<Item> Get(const Operand& operand, const Item& dot) {
    Item item = dot;
    switch (operand.kind) {
      case Operand::Kind::kLiteral:
        item = {operand.literal, true, operand.literal.is_number()};
        break;
      case Operand::Kind::kNil:
        item = {};
        break;
      case Operand::Kind::kDot:
        break;
      case Operand::Kind::kVariable: {
        const auto known = std::find_if(scope_.rbegin(), scope_.rend(), [&](const auto& pair) {
          return pair.first == operand.name;
        });
        if (known == scope_.rend()) {
          return TemplateError("undefined variable " + GoQuote(operand.name));
        }
        item = known->second;
        break;
      }
      case Operand::Kind::kFunction: {
        Command command;
        command.operands.push_back(operand);
        command.operands[0].fields.clear();
        item = TRY(Call(command, dot, nullptr));
        break;
      }
      case Operand::Kind::kPipeline:
        item = TRY(Evaluate(*operand.pipeline, dot));
        break;
    }
    for (const std::string& field : operand.fields) {
      if (!item.defined) return item;
      if (item.value.is_null()) {
        return TemplateError("nil pointer evaluating interface {}." + field);
      }
      if (!item.value.is_object()) {
        return TemplateError("can't evaluate field " + field + " in type interface {}");
      }
      const Value* found = item.value.Find(std::string_view(field));
      const Value next = found != nullptr ? *found : Value();
      item = Item{next, found != nullptr};
    }
    return item;
  }

  Result<Item> Call(const Command& command, const Item& dot, const Item* last) {
    const std::string& name = command.operands[0].name;
    std::vector<Item> arguments;
    for (std::size_t i = 1; i < command.operands.size(); ++i) {
      arguments.push_back(TRY(Get(command.operands[i], dot)));
      // and, or stop at the argument that decides.
      const bool decides = (name == "and" && !IsTrue(arguments.back())) ||
                           (name == "or" && IsTrue(arguments.back()));
      if (decides) return arguments.back();
    }
    if (last != nullptr) arguments.push_back(*last);
    return Apply(name, arguments);
  }

  static Item Text(const std::string& text) { return Item{Value::String(text)}; }
  static Item Bool(bool value) { return Item{Value::Bool(value)}; }

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
    const std::string text = Joined(x, name == "println");
    TRY(ChargeBytes(context_, text.size() * 4));
    if (name == "html") return Text(EscapeHtml(text));
    if (name == "js") return Text(EscapeJs(text));
    if (name == "urlquery") return Text(EscapeQuery(text));
    return Text(text);
  }

  // Spaces go between arguments that are both no strings; println has them everywhere.
  static std::string Joined(const std::vector<Item>& x, bool line) {
    std::string out;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i > 0 && (line || (!IsText(x[i]) && !IsText(x[i - 1])))) out += ' ';
      out += Printed(x[i]);
    }
    return line ? out + "\n" : out;
  }

  Result<Item> Printf(const std::vector<Item>& x) {
    if (!x[0].value.is_string()) return TemplateError("wrong type for the format of printf");
    std::vector<Value> arguments;
    for (std::size_t i = 1; i < x.size(); ++i) {
      const bool number = x[i].value.is_number() && x[i].counts;
      arguments.push_back(number ? x[i].value : Value::String(Printed(x[i])));
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

  static Result<Item> Slice(const std::vector<Item>& x) {
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
    if (value.is_string()) return Item{Value::String(value.string().substr(start, count))};
    return Item{Value::Array(value.items().subspan(start, count))};
  }

  static Result<int> Order(const Item& a, const Item& b) {
    const bool same = (IsText(a) && IsText(b)) || (a.counts && b.counts) ||
                      (a.value.is_boolean() && b.value.is_boolean());
    if (!same) return TemplateError("incompatible types for comparison");
    if (IsText(a)) return Printed(a).compare(Printed(b));
    return Value::Compare(a.value, b.value);
  }

  static Result<Item> CompareItems(const std::string& name, const std::vector<Item>& x) {
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
  const Template& parsed_;
  std::vector<std::pair<std::string, Item>> scope_;
  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace
}  // namespace go_template

Result<std::string> RenderTemplate(BuiltinContext& context, std::string_view text,
                                   const Value& variables) {
  const auto parsed = TRY(go_template::ParseTemplate(context, text));
  return go_template::Renderer(context, parsed).Render(variables);
}

namespace {

BuiltinResult Render(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const Value* variables = TRY(ObjectOperand(x, 1));
  TRY(ChargeScan(context, text.size()));
  return Value::String(TRY(RenderTemplate(context, text, *variables)));
}

}  // namespace

std::span<const Builtin> TemplateBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"strings.render_template", 2, Render},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
