// SPDX-License-Identifier: Apache-2.0
// Terms to nodes; references that iterate put scans before the step that needs them.
#include <algorithm>

#include "policy/engine/body_compiler.h"

namespace kata_cc::policy {
namespace {

std::string CalledName(const Term& operation) {
  if (operation.kind != TermKind::kRef) return operation.name;
  std::string name = "data";
  for (std::size_t i = 1; i < operation.parts.size(); ++i) {
    const Term& part = operation.parts[i];
    name += "." + (part.is_string() ? std::string(part.value.string()) : "?");
  }
  return name;
}

}  // namespace

Node BodyCompiler::SlotNode(std::uint32_t slot, const Location& location) const {
  Node node(NodeKind::kSlot, location);
  node.slot = slot;
  return node;
}

void BodyCompiler::UseGroup(const Group* group) {
  if (out_ != nullptr && compiler_.current_ != nullptr) {
    compiler_.current_->uses.push_back(group->id);
  }
}

void BodyCompiler::UseTree(const TreeNode& tree) {
  if (tree.group != nullptr) UseGroup(tree.group);
  for (const auto& [name, child] : tree.children)
    UseTree(*child);
}

const Builtin* BodyCompiler::BuiltinOf(const Term& operation) const {
  if (operation.kind == TermKind::kVar) return compiler_.builtins_.Find(operation.name);
  if (operation.kind != TermKind::kRef || operation.parts[0].variable >= 0) return nullptr;
  std::string name = operation.parts[0].name;
  for (std::size_t i = 1; i < operation.parts.size(); ++i) {
    if (!operation.parts[i].is_string()) return nullptr;
    name += '.';
    name += operation.parts[i].value.string();
  }
  return compiler_.builtins_.Find(name);
}

Group* BodyCompiler::FunctionOf(const Term& operation) const {
  if (operation.kind != TermKind::kRef || operation.parts[0].name != "data" ||
      operation.parts[0].variable >= 0) {
    return nullptr;
  }
  const TreeNode* node = &compiler_.program_.root;
  for (std::size_t i = 1; i < operation.parts.size(); ++i) {
    if (!operation.parts[i].is_string()) return nullptr;
    const auto child = node->children.find(operation.parts[i].value.string());
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
  }
  const bool is_function = node->group != nullptr && node->group->kind == GroupKind::kFunction;
  return is_function ? node->group : nullptr;
}

std::size_t BodyCompiler::Arity(const Term& call) const {
  if (const Group* group = FunctionOf(call.parts[0])) return group->arity;
  if (const Builtin* builtin = BuiltinOf(call.parts[0])) return builtin->arity;
  return SIZE_MAX;
}

// Terms in any order in which each can be; out keeps the given order.
bool BodyCompiler::EmitTerms(const std::vector<Term>& terms, std::size_t first,
                             std::vector<Node>& out) {
  const std::size_t start = out.size();
  out.resize(start + terms.size() - first);
  std::vector<std::size_t> waiting;
  const auto emit = [&](std::size_t i) {
    const Term& term = terms[i];
    if (out_ != nullptr && !IsReady(term) &&
        !Succeeds([&] { return EmitTerm(term).has_value(); })) {
      return false;
    }
    auto node = EmitTerm(term);
    if (node) out[start + i - first] = std::move(*node);
    return node.has_value();
  };
  Bound known;
  for (std::size_t i = first; i < terms.size(); ++i) {
    if (emit(i)) continue;
    if (waiting.empty()) known = bound_;
    waiting.push_back(i);
  }
  // Again only if there is something new to know: else a nest would be tried 2^depth times.
  while (!waiting.empty()) {
    if (bound_ == known) return false;
    known = bound_;
    std::erase_if(waiting, emit);
  }
  return true;
}

std::optional<Node> BodyCompiler::EmitTerm(const Term& term) {
  if (!compiler_.Spend(1)) return std::nullopt;
  switch (term.kind) {
    case TermKind::kScalar: {
      Node node(NodeKind::kConstant, term.location);
      node.constant = term.value;
      return node;
    }
    case TermKind::kVar:
      if (term.variable < 0 || !IsBound(term.variable)) return std::nullopt;
      return SlotNode(static_cast<std::uint32_t>(term.variable), term.location);
    case TermKind::kRef:
      return EmitRef(term);
    case TermKind::kCall:
      return EmitCall(term, term.parts.size() - 1);
    case TermKind::kArray:
    case TermKind::kSet:
    case TermKind::kObject:
    case TermKind::kTemplate: {
      const NodeKind kind = term.kind == TermKind::kArray    ? NodeKind::kArray
                            : term.kind == TermKind::kSet    ? NodeKind::kSet
                            : term.kind == TermKind::kObject ? NodeKind::kObject
                                                             : NodeKind::kTemplate;
      Node node(kind, term.location);
      if (!EmitTerms(term.parts, 0, node.nodes)) return std::nullopt;
      return node;
    }
    case TermKind::kArrayOf:
    case TermKind::kSetOf:
    case TermKind::kObjectOf:
      return EmitClosure(term);
  }
  return std::nullopt;
}

std::optional<Node> BodyCompiler::EmitClosure(const Term& term) {
  if (!FreeBound(term)) return std::nullopt;
  const NodeKind kind = term.kind == TermKind::kArrayOf ? NodeKind::kArrayOf
                        : term.kind == TermKind::kSetOf ? NodeKind::kSetOf
                                                        : NodeKind::kObjectOf;
  Node node(kind, term.location);
  if (out_ == nullptr) return node;
  Block* outer = out_;
  const Bound before = bound_;
  node.block = std::make_unique<Block>();
  EmitBody(*term.body, *node.block);
  for (const Term& part : term.parts)
    node.nodes.push_back(EmitHead(part, *node.block));
  EmitYield(*node.block, term.location);
  out_ = outer;
  bound_ = before;
  bound_.resize(names_.size(), true);
  return node;
}

std::optional<Node> BodyCompiler::EmitCall(const Term& term, std::size_t operands) {
  Node node(NodeKind::kBuiltin, term.location);
  Group* group = FunctionOf(term.parts[0]);
  const Builtin* builtin = group == nullptr ? BuiltinOf(term.parts[0]) : nullptr;
  if (group == nullptr && builtin == nullptr) {
    compiler_.ReportUnknownFunction(term.location, CalledName(term.parts[0]));
    return node;
  }
  const std::size_t arity = group != nullptr ? group->arity : builtin->arity;
  if (builtin != nullptr && builtin->function == nullptr && !compiler_.IsMocked(*builtin)) {
    compiler_.Report(term.location, std::string(builtin->refusal));
    return node;
  }
  if (operands != arity) {
    compiler_.Report(term.location, CalledName(term.parts[0]) + ": expected " +
                                        std::to_string(arity) +
                                        (arity == 1 ? " operand" : " operands") + ", got " +
                                        std::to_string(operands));
    return node;
  }
  if (builtin != nullptr && builtin->name.starts_with("rego.metadata.")) {
    node.kind = NodeKind::kConstant;
    node.constant = compiler_.Metadata(builtin->name == "rego.metadata.chain");
    return node;
  }
  std::vector<Term> cut;
  const std::vector<Term>* terms = &term.parts;
  if (operands + 1 < term.parts.size()) {
    for (std::size_t i = 0; i <= operands; ++i)
      cut.push_back(term.parts[i].Clone());
    terms = &cut;
  }
  if (!EmitTerms(*terms, 1, node.nodes)) return std::nullopt;
  if (group != nullptr) {
    UseGroup(group);
    node.kind = NodeKind::kCall;
    node.group = group;
    return node;
  }
  node.builtin = builtin;
  if (builtin->relation) {
    const std::uint32_t slot = NewSlot();
    Step& step = Add(StepKind::kRelation, term.location);
    step.a = std::move(node);
    step.slot = slot;
    return SlotNode(slot, term.location);
  }
  node.kind = compiler_.FastKind(*builtin);
  return node;
}

// The part of a reference to data that is known now: a rule, a node of rules, or the base document.
std::optional<Node> BodyCompiler::EmitDataRef(const Term& term, std::size_t& at) {
  const TreeNode* node = &compiler_.program_.root;
  at = 1;
  while (at < term.parts.size() && term.parts[at].is_string() && node->group == nullptr) {
    const auto child = node->children.find(term.parts[at].value.string());
    if (child == node->children.end()) break;
    node = child->second.get();
    ++at;
  }
  if (node->group != nullptr) {
    if (node->group->kind == GroupKind::kFunction) {
      compiler_.Report(term.location,
                       node->group->Name() + " is a function, and is not called here");
    }
    UseGroup(node->group);
    Node out(NodeKind::kRule, term.location);
    out.group = node->group;
    return out;
  }
  const bool below = at < term.parts.size() && term.parts[at].kind == TermKind::kScalar;
  const bool whole = at == term.parts.size() && node != &compiler_.program_.root;
  if (below || (node->children.empty() && !whole)) {
    // No rule can be meant: the base document, from its root.
    at = 1;
    return Node(NodeKind::kBase, term.location);
  }
  Node out(NodeKind::kVirtual, term.location);
  out.tree = node;
  if (out_ != nullptr) UseTree(*node);
  // Keys that are bound select the rule; others go over everything.
  while (at < term.parts.size()) {
    const Bound before = bound_;
    const std::size_t slots = names_.size();
    if (IsOpen(term.parts[at])) break;
    auto key = EmitTerm(term.parts[at]);
    if (!key) {
      bound_ = before;
      names_.resize(slots);
      return std::nullopt;
    }
    out.nodes.push_back(std::move(*key));
    ++at;
  }
  return out;
}

std::optional<Node> BodyCompiler::EmitRef(const Term& term) {
  const Term& head = term.parts[0];
  std::size_t at = 1;
  std::optional<Node> node;
  if (head.kind == TermKind::kVar && head.variable < 0) {
    if (head.name == "input") {
      node = Node(NodeKind::kInput, term.location);
    } else {
      node = EmitDataRef(term, at);
    }
  } else {
    node = EmitTerm(head);
  }
  if (!node) return std::nullopt;
  const auto get = [&](Node key) {
    if (node->kind != NodeKind::kGet) {
      Node outer(NodeKind::kGet, term.location);
      outer.nodes.push_back(std::move(*node));
      node = std::move(outer);
    }
    node->nodes.push_back(std::move(key));
  };
  for (; at < term.parts.size(); ++at) {
    const Term& key = term.parts[at];
    if (node->kind == NodeKind::kBase && at == 1 && key.kind == TermKind::kScalar &&
        key.value.is_number()) {
      // data[2] is data["2"].
      Node name(NodeKind::kConstant, key.location);
      name.constant = Value::String(key.value.NumberText());
      get(std::move(name));
      continue;
    }
    if (!IsOpen(key)) {
      auto key_node = EmitTerm(key);
      if (!key_node) return std::nullopt;
      get(std::move(*key_node));
      continue;
    }
    // Every key that fits.
    const bool plain = key.kind == TermKind::kVar;
    const std::uint32_t key_slot = plain ? static_cast<std::uint32_t>(key.variable) : NewSlot();
    const std::uint32_t value_slot = NewSlot();
    if (plain) Bind(key.variable);
    Step& step = Add(StepKind::kScan, key.location);
    step.a = std::move(*node);
    step.slot = plain && names_[key_slot].empty() ? kNoSlot : key_slot;
    step.slot2 = value_slot;
    if (!plain && !EmitMatch(key, SlotNode(key_slot, key.location))) return std::nullopt;
    node = SlotNode(value_slot, term.location);
  }
  return node;
}

}  // namespace kata_cc::policy
