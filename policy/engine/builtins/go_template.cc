// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/go_template.h"

#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/go_template_ast.h"
#include "policy/engine/builtins/go_template_functions.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace go_template {
namespace {

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
        if (node.pipeline.variables.empty()) out_ += TRY(Printed(context_, item));
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
    const Item items = TRY(Evaluate(node.pipeline, dot, false));
    const std::int64_t count = TRY(Count(items));
    Flow flow = Flow::kNext;
    for (std::int64_t i = 0; i < count; ++i) {
      TRY(context_.Charge(2));
      const auto [key, value] = At(items, i);
      const auto& names = node.pipeline.variables;
      if (names.size() == 1) TRY(Assign(names[0], value, node.pipeline.declares));
      if (names.size() > 1) {
        TRY(Assign(names[0], key, node.pipeline.declares));
        TRY(Assign(names[1], value, node.pipeline.declares));
      }
      flow = TRY(Run(node.body, value));
      scope_.resize(mark);
      if (flow == Flow::kBreak) break;
    }
    if (count > 0) return Flow::kNext;
    flow = TRY(Run(node.otherwise, dot));
    return flow;
  }

  // How often a range over this runs, and with what.
  Result<std::int64_t> Count(const Item& items) {
    const Value& value = items.value;
    if (value.is_object() || value.is_array() || value.is_set()) {
      return static_cast<std::int64_t>(value.size());
    }
    if (items.counts) return value.ToInt64().value_or(0);
    if (value.is_null()) return std::int64_t{0};
    return TemplateError("range can't iterate over " + TRY(Printed(context_, items)));
  }
  static std::pair<Item, Item> At(const Item& items, std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    const Item index{Value::Int(i), true, true};
    if (items.value.is_object()) {
      const Member& member = items.value.members()[at];
      return {Item{member.key}, Item{member.value}};
    }
    if (items.counts) return {index, index};
    return {index, Item{items.value.items()[at]}};
  }

  Result<void> Assign(const std::string& name, const Item& item, bool declare) {
    TRY(context_.Charge(1 + scope_.size() / 16, sizeof(Item)));
    if (!declare) {
      for (auto known = scope_.rbegin(); known != scope_.rend(); ++known) {
        if (known->first != name) continue;
        known->second = item;
        return {};
      }
    }
    scope_.emplace_back(name, item);
    return {};
  }

  Result<Item> Evaluate(const Pipeline& pipeline, const Item& dot, bool assign = true) {
    std::optional<Item> last;
    for (const Command& command : pipeline.commands) {
      last = TRY(Run(command, dot, last ? &*last : nullptr));
    }
    if (!last) return TemplateError("missing value for command");
    for (const std::string& name : pipeline.variables) {
      if (assign) TRY(Assign(name, *last, pipeline.declares));
    }
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
        TRY(context_.Charge(1 + scope_.size() / 16));
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
    return CallFunction(context_, name, arguments);
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
  return Value::String(ValidUtf8(TRY(RenderTemplate(context, text, *variables))));
}

}  // namespace

std::span<const Builtin> TemplateBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"strings.render_template", 2, Render},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
