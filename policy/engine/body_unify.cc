// SPDX-License-Identifier: Apache-2.0
// Unification: of two terms, either may have unbound variables; what is bound on one side flows to
// the other, element by element.
#include <algorithm>

#include "policy/engine/body_compiler.h"

namespace kata_cc::policy {

// An unbound variable in the term itself or in the elements of its arrays and objects.
bool BodyCompiler::IsOpen(const Term& term) const {
  switch (term.kind) {
    case TermKind::kVar:
      return term.variable >= 0 && !IsBound(term.variable);
    case TermKind::kArray:
    case TermKind::kObject:
    case TermKind::kSet:
      return std::any_of(term.parts.begin(), term.parts.end(),
                         [this](const Term& part) { return IsOpen(part); });
    default:
      return false;
  }
}

bool BodyCompiler::IsPattern(const Term& term) const {
  return term.kind == TermKind::kArray || term.kind == TermKind::kObject;
}

Node BodyCompiler::InSlot(Node node) {
  if (node.kind == NodeKind::kSlot || node.kind == NodeKind::kConstant) return node;
  const Location location = node.location;
  const std::uint32_t slot = NewSlot();
  Step& step = Add(StepKind::kBind, location);
  step.slot = slot;
  step.a = std::move(node);
  return SlotNode(slot, location);
}

// What binds variables goes first: [x, y] = [y, 1].
bool BodyCompiler::EmitUnify(const Term& a, const Term& b) {
  std::vector<std::pair<const Term*, const Term*>> pairs = {{&a, &b}};
  while (!pairs.empty()) {
    bool progress = false;
    std::vector<std::pair<const Term*, const Term*>> later;
    for (const auto& [x, y] : pairs) {
      const bool variable = x->kind == TermKind::kVar && x->variable >= 0;
      if (IsReady(*y) && (variable || IsReady(*x))) {
        if (!EmitUnifyOnce(*x, *y, later)) return false;
        progress = true;
        continue;
      }
      const Bound before = bound_;
      const std::size_t slots = names_.size();
      if (out_ != nullptr) {
        std::vector<std::pair<const Term*, const Term*>> ignored;
        // Clang 14 captures no structured bindings.
        if (!Succeeds([&, left = x, right = y] { return EmitUnifyOnce(*left, *right, ignored); })) {
          later.emplace_back(x, y);
          continue;
        }
      }
      if (EmitUnifyOnce(*x, *y, later)) {
        progress = true;
      } else {
        bound_ = before;
        names_.resize(slots);
        later.emplace_back(x, y);
      }
    }
    if (!progress) return false;
    pairs = std::move(later);
  }
  return true;
}

bool BodyCompiler::EmitUnifyOnce(const Term& a, const Term& b,
                                 std::vector<std::pair<const Term*, const Term*>>& more) {
  const bool open_a = IsOpen(a);
  const bool open_b = IsOpen(b);
  if (open_a && open_b) {
    if (a.kind != b.kind || !IsPattern(a)) return false;
    // Both have unbound variables: part by part.
    if (a.parts.size() != b.parts.size()) {
      Node never(NodeKind::kConstant, a.location);
      never.constant = Value::Bool(false);
      Add(StepKind::kTest, a.location).a = std::move(never);
      for (const Term* side : {&a, &b}) {
        std::set<std::int32_t> variables;
        FreeVariables(*side, variables);
        for (const std::int32_t variable : variables)
          Bind(variable);
      }
      return true;
    }
    if (a.kind == TermKind::kArray) {
      for (std::size_t i = 0; i < a.parts.size(); ++i)
        more.emplace_back(&a.parts[i], &b.parts[i]);
      return true;
    }
    for (std::size_t i = 0; i < a.parts.size(); i += 2) {
      std::size_t j = 0;
      while (j < b.parts.size() &&
             !(a.parts[i].kind == TermKind::kScalar && b.parts[j].kind == TermKind::kScalar &&
               a.parts[i].value == b.parts[j].value)) {
        j += 2;
      }
      if (j >= b.parts.size()) return false;
      more.emplace_back(&a.parts[i + 1], &b.parts[j + 1]);
    }
    return true;
  }
  const Term& pattern = open_a ? a : b;
  const Term& value = open_a ? b : a;
  auto node = EmitTerm(value);
  if (!node) return false;
  return EmitMatch(pattern, std::move(*node));
}

// The pattern against a value that is evaluated where the first step says so.
bool BodyCompiler::EmitMatch(const Term& pattern, Node value) {
  if (!compiler_.Spend(1)) return false;
  if (!IsOpen(pattern)) {
    auto node = EmitTerm(pattern);
    if (!node) return false;
    Step& step = Add(StepKind::kEqual, pattern.location);
    step.a = std::move(value);
    step.b = std::move(*node);
    return true;
  }
  if (pattern.kind == TermKind::kVar) {
    if (out_ != nullptr || !IsBound(pattern.variable)) {
      Step& step = Add(StepKind::kBind, pattern.location);
      step.slot = static_cast<std::uint32_t>(pattern.variable);
      step.a = std::move(value);
    }
    Bind(pattern.variable);
    return true;
  }
  if (!IsPattern(pattern)) return false;
  return EmitPatternMatch(pattern, InSlot(std::move(value)));
}

bool BodyCompiler::EmitPatternMatch(const Term& pattern, const Node& value) {
  const auto copy = [&value](Node key) {
    Node get(NodeKind::kGet, value.location);
    Node base(value.kind, value.location);
    base.slot = value.slot;
    base.constant = value.constant;
    get.nodes.push_back(std::move(base));
    get.nodes.push_back(std::move(key));
    return get;
  };
  const bool is_array = pattern.kind == TermKind::kArray;
  Step& shape = Add(is_array ? StepKind::kArrayOf : StepKind::kObjectOf, pattern.location);
  shape.count =
      static_cast<std::uint32_t>(is_array ? pattern.parts.size() : pattern.parts.size() / 2);
  shape.a = Node(value.kind, value.location);
  shape.a.slot = value.slot;
  shape.a.constant = value.constant;
  // Open elements first: they bind what the others may need.
  std::vector<std::pair<const Term*, std::size_t>> parts;
  for (std::size_t i = is_array ? 0 : 1; i < pattern.parts.size(); i += is_array ? 1 : 2)
    parts.emplace_back(&pattern.parts[i], i);
  while (!parts.empty()) {
    std::vector<std::pair<const Term*, std::size_t>> later;
    for (const auto& [part, i] : parts) {
      std::optional<Node> key;
      if (is_array) {
        key = Node(NodeKind::kConstant, part->location);
        key->constant = Value::Int(static_cast<std::int64_t>(i));
      } else {
        if (IsOpen(pattern.parts[i - 1])) return false;
        key = EmitTerm(pattern.parts[i - 1]);
        if (!key) return false;
      }
      const Bound before = bound_;
      const std::size_t slots = names_.size();
      if (out_ != nullptr && !Succeeds([&, tried = part] {
            return EmitMatch(*tried, copy(Node(NodeKind::kConstant, tried->location)));
          })) {
        later.emplace_back(part, i);
        continue;
      }
      if (!EmitMatch(*part, copy(std::move(*key)))) {
        bound_ = before;
        names_.resize(slots);
        later.emplace_back(part, i);
      }
    }
    if (later.size() == parts.size()) return false;
    parts = std::move(later);
  }
  return true;
}

}  // namespace kata_cc::policy
