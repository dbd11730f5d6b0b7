// SPDX-License-Identifier: Apache-2.0
// Expressions and their order. Terms are in body_terms.cc, unification in body_unify.cc.
#include "policy/engine/body_compiler.h"

#include <algorithm>

namespace kata_cc::policy {

std::uint32_t BodyCompiler::NewSlot() {
  names_.emplace_back();
  bound_.push_back(true);
  return static_cast<std::uint32_t>(names_.size() - 1);
}

Step& BodyCompiler::Add(StepKind kind, const Location& location) {
  if (out_ == nullptr) {
    dry_ = Step();
    return dry_;
  }
  out_->steps.emplace_back();
  out_->steps.back().kind = kind;
  out_->steps.back().location = location;
  return out_->steps.back();
}

void BodyCompiler::EmitYield(Block& out, const Location& location) {
  out_ = &out;
  Add(StepKind::kYield, location);
  out_ = nullptr;
}

void BodyCompiler::EmitBody(const Body& body, Block& out) {
  std::vector<const Expr*> waiting;
  for (const Expr& expr : body)
    waiting.push_back(&expr);
  out.steps.reserve(body.size() + 1);
  while (!waiting.empty()) {
    std::vector<const Expr*> later;
    for (const Expr* expr : waiting) {
      if (!IsReady(*expr) && !Succeeds([&] { return EmitExpr(*expr); })) {
        later.push_back(expr);
        continue;
      }
      out_ = &out;
      EmitExpr(*expr);
      out_ = nullptr;
    }
    if (later.size() == waiting.size()) {
      ReportUnsafe(later);
      return;
    }
    waiting = std::move(later);
  }
}

Node BodyCompiler::EmitHead(const Term& term, Block& out) {
  if (!IsReady(term) && !Succeeds([&] { return EmitTerm(term).has_value(); })) {
    Expr expr;
    expr.location = term.location;
    expr.terms.push_back(term.Clone());
    ReportUnsafe({&expr});
    return {};
  }
  out_ = &out;
  auto node = EmitTerm(term);
  out_ = nullptr;
  return node ? *std::move(node) : Node();
}

bool BodyCompiler::EmitExpr(const Expr& expr) {
  if (expr.withs.empty()) return EmitPlainExpr(expr);
  if (!EmitWiths(expr)) return false;
  if (!EmitPlainExpr(expr)) return false;
  Add(StepKind::kEndWith, expr.location);
  return true;
}

bool BodyCompiler::EmitWiths(const Expr& expr) {
  std::vector<Mock> mocks;
  for (const With& with : expr.withs) {
    auto mock = EmitMock(with);
    if (!mock) return false;
    mocks.push_back(std::move(*mock));
  }
  Add(StepKind::kWith, expr.location).mocks = std::move(mocks);
  return true;
}

std::optional<Mock> BodyCompiler::EmitMock(const With& with) {
  Mock mock;
  if (with.target.kind == TermKind::kVar) {
    mock.builtin = BuiltinOf(with.target);
  } else {
    mock.function = FunctionOf(with.target);
    if (mock.function == nullptr) {
      mock.is_input = with.target.parts[0].name == "input";
      mock.is_data = !mock.is_input;
      for (std::size_t i = 1; i < with.target.parts.size(); ++i) {
        if (with.target.parts[i].kind != TermKind::kScalar) {
          compiler_.Report(with.target.parts[i].location,
                           "with: the target's path must be constant");
          return mock;
        }
        mock.path.push_back(with.target.parts[i].value);
      }
      if (mock.is_data) CheckReplaced(with.target);
    }
  }
  if (mock.builtin != nullptr || mock.function != nullptr) {
    mock.by_function = FunctionOf(with.value);
    if (mock.by_function != nullptr) {
      UseGroup(mock.by_function);
      return mock;
    }
    const bool is_name = (with.value.kind == TermKind::kVar || with.value.kind == TermKind::kRef) &&
                         with.value.variable < 0;
    if (is_name) mock.by_builtin = BuiltinOf(with.value);
    if (mock.by_builtin != nullptr) return mock;
  }
  auto value = EmitTerm(with.value);
  if (!value) return std::nullopt;
  mock.value = std::move(*value);
  return mock;
}

// A rule's value can be replaced as a whole only: what is below it is the rule's to say.
void BodyCompiler::CheckReplaced(const Term& target) {
  const TreeNode* node = &compiler_.program_.root;
  for (std::size_t i = 1; i < target.parts.size() && target.parts[i].is_string(); ++i) {
    const auto child = node->children.find(target.parts[i].value.string());
    if (child == node->children.end()) return;
    node = child->second.get();
    if (node->group != nullptr && i + 1 < target.parts.size()) {
      compiler_.Report(target.location, "with: " + node->group->Name() +
                                            " is a rule, and can only be replaced as a whole");
      return;
    }
  }
}

bool BodyCompiler::EmitPlainExpr(const Expr& expr) {
  return expr.negated ? EmitNot(expr) : EmitPositive(expr);
}

bool BodyCompiler::EmitPositive(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kSome:
      return true;
    case ExprKind::kSomeIn:
      return EmitSomeIn(expr);
    case ExprKind::kEvery:
      return EmitEvery(expr);
    case ExprKind::kUnify:
    case ExprKind::kAssign:
      return EmitUnify(expr.terms[0], expr.terms[1]);
    case ExprKind::kTerm:
      break;
  }
  const Term& term = expr.terms[0];
  if (term.kind == TermKind::kCall) return EmitCallExpr(term);
  auto node = EmitTerm(term);
  if (!node) return false;
  // A bare reference that was scanned for is tested by its last slot.
  Add(StepKind::kTest, expr.location).a = std::move(*node);
  return true;
}

bool BodyCompiler::EmitCallExpr(const Term& term) {
  const Builtin* builtin = BuiltinOf(term.parts[0]);
  if (builtin != nullptr && builtin->name == "print") return EmitPrint(term);
  const std::size_t arity = Arity(term);
  const std::size_t operands = term.parts.size() - 1;
  if (arity != SIZE_MAX && operands == arity + 1) {
    // count(xs, n): the last operand is the result.
    auto node = EmitCall(term, arity);
    if (!node) return false;
    return EmitMatch(term.parts.back(), std::move(*node));
  }
  auto node = EmitCall(term, operands);
  if (!node) return false;
  Add(StepKind::kTest, term.location).a = std::move(*node);
  return true;
}

// An undefined operand prints as <undefined>; one that iterates prints once for each value.
bool BodyCompiler::EmitPrint(const Term& term) {
  std::vector<Node> operands;
  operands.reserve(term.parts.size() - 1);
  bool iterates = false;
  for (std::size_t i = 1; i < term.parts.size(); ++i) {
    auto node = EmitPrinted(term.parts[i], iterates);
    if (!node) return false;
    operands.push_back(std::move(*node));
  }
  Step& step = Add(StepKind::kPrint, term.location);
  step.nodes = std::move(operands);
  step.count = iterates ? 1 : 0;
  return true;
}

std::optional<Node> BodyCompiler::EmitPrinted(const Term& operand, bool& iterates) {
  const bool ready = IsReady(operand);
  if (!ready) {
    std::set<std::int32_t> variables;
    FreeVariables(operand, variables);
    for (const std::int32_t variable : variables) {
      if (!IsBound(variable) && !names_[static_cast<std::size_t>(variable)].empty()) {
        return std::nullopt;
      }
    }
  }
  // {v | v := operand}, unless it has one value at most.
  const Bound before = ready ? Bound() : bound_;
  Block block;
  Block* outer = out_;
  out_ = outer == nullptr ? nullptr : &block;
  auto node = EmitTerm(operand);
  iterates = iterates || !block.steps.empty();
  if (node && outer != nullptr && !block.steps.empty()) {
    Node set(NodeKind::kSetOf, operand.location);
    Add(StepKind::kYield, operand.location);
    set.nodes.push_back(std::move(*node));
    set.block = std::make_unique<Block>(std::move(block));
    // Told from a set to print by the wrapping.
    Node wrapped(NodeKind::kTemplate, operand.location);
    wrapped.nodes.push_back(std::move(set));
    node = std::move(wrapped);
  }
  out_ = outer;
  if (!ready) {
    bound_ = before;
    bound_.resize(names_.size(), true);
  }
  return node;
}

bool BodyCompiler::EmitNot(const Expr& expr) {
  if (!FreeBound(expr)) return false;
  if (out_ == nullptr) {
    // Wildcards count as unbound above; what is left can be emitted.
    return true;
  }
  Block* outer = out_;
  const Bound before = bound_;
  auto block = std::make_unique<Block>();
  out_ = block.get();
  if (!EmitPositive(expr)) ReportUnsafe({&expr});
  Add(StepKind::kYield, expr.location);
  out_ = outer;
  bound_ = before;
  bound_.resize(names_.size(), true);
  Add(StepKind::kNot, expr.location).block = std::move(block);
  return true;
}

bool BodyCompiler::EmitEvery(const Expr& expr) {
  auto domain = EmitTerm(expr.terms[2]);
  if (!domain || !FreeBound(expr)) return false;
  if (out_ == nullptr) return true;
  Block* outer = out_;
  const Bound before = bound_;
  auto block = std::make_unique<Block>();
  const bool has_key = expr.terms[0].name != "_";
  Bind(expr.terms[0].variable);
  Bind(expr.terms[1].variable);
  EmitBody(*expr.body, *block);
  EmitYield(*block, expr.location);
  out_ = outer;
  bound_ = before;
  bound_.resize(names_.size(), true);
  Step& step = Add(StepKind::kEvery, expr.location);
  step.a = std::move(*domain);
  step.slot = has_key ? static_cast<std::uint32_t>(expr.terms[0].variable) : kNoSlot;
  step.slot2 = static_cast<std::uint32_t>(expr.terms[1].variable);
  step.block = std::move(block);
  return true;
}

bool BodyCompiler::EmitSomeIn(const Expr& expr) {
  auto domain = EmitTerm(expr.terms.back());
  if (!domain) return false;
  const Term* key = expr.terms.size() == 3 ? &expr.terms[0] : nullptr;
  const Term& value = expr.terms[expr.terms.size() - 2];
  const auto slot_for = [this](const Term& term) {
    const bool fresh = term.kind == TermKind::kVar && term.variable >= 0 && !IsBound(term.variable);
    if (!fresh) return NewSlot();
    Bind(term.variable);
    return static_cast<std::uint32_t>(term.variable);
  };
  const std::uint32_t key_slot = key != nullptr ? slot_for(*key) : kNoSlot;
  const std::uint32_t value_slot = slot_for(value);
  Step& step = Add(StepKind::kScan, expr.location);
  step.a = std::move(*domain);
  step.slot = key_slot;
  step.slot2 = value_slot;
  const auto matches = [this](const Term& term, std::uint32_t slot) {
    if (term.kind == TermKind::kVar && static_cast<std::uint32_t>(term.variable) == slot)
      return true;
    return EmitMatch(term, SlotNode(slot, term.location));
  };
  if (key != nullptr && !matches(*key, key_slot)) return false;
  return matches(value, value_slot);
}

}  // namespace kata_cc::policy
