// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/rule_index.h"

#include <algorithm>
#include <map>

namespace kata_cc::policy {
namespace {

constexpr std::size_t kLeastSelected = 3;

// What is the same for all definitions of a group, and cannot fail but by being undefined.
bool IsKey(const Node& node, std::size_t arity) {
  switch (node.kind) {
    case NodeKind::kSlot:
      return node.slot < arity;
    case NodeKind::kInput:
      return true;
    case NodeKind::kGet:
      return IsKey(node.nodes[0], arity) &&
             std::all_of(node.nodes.begin() + 1, node.nodes.end(),
                         [](const Node& key) { return key.kind == NodeKind::kConstant; });
    default:
      return false;
  }
}

Node Copy(const Node& node) {
  Node out(node.kind, node.location);
  out.slot = node.slot;
  out.constant = node.constant;
  for (const Node& part : node.nodes)
    out.nodes.push_back(Copy(part));
  return out;
}

// Equal keys, equal names.
std::string NameOf(const Node& node) {
  switch (node.kind) {
    case NodeKind::kSlot:
      return "slot " + std::to_string(node.slot);
    case NodeKind::kInput:
      return "input";
    case NodeKind::kConstant:
      return ToTermText(node.constant);
    default: {
      std::string out;
      for (const Node& part : node.nodes)
        out += (out.empty() ? "" : "\n") + NameOf(part);
      return out;
    }
  }
}

// Those that the definition begins with; what comes later may print or fail.
std::vector<Condition> ConditionsOf(const Definition& definition, std::size_t arity) {
  std::vector<Condition> out;
  if (definition.else_definition) return out;
  for (const Step& step : definition.block.steps) {
    const auto condition = ConditionOf(step, arity);
    if (!condition) break;
    out.push_back(*condition);
  }
  return out;
}

}  // namespace

std::string Condition::KeyName() const {
  return NameOf(*key);
}

std::optional<Condition> ConditionOf(const Step& step, std::size_t arity) {
  const Node* a = &step.a;
  const Node* b = &step.b;
  if (step.kind == StepKind::kTest && step.a.kind == NodeKind::kEqual) {
    a = step.a.nodes.data();
    b = a + 1;
  } else if (step.kind != StepKind::kEqual) {
    return std::nullopt;
  }
  if (a->kind == NodeKind::kConstant) std::swap(a, b);
  if (b->kind != NodeKind::kConstant || !IsKey(*a, arity)) return std::nullopt;
  return Condition{a, &b->constant};
}

std::unique_ptr<RuleIndex> RuleIndex::Make(const Group& group) {
  if (group.definitions.size() < kLeastSelected) return nullptr;
  std::vector<std::map<std::string, Condition>> conditions;
  std::map<std::string, std::size_t> counts;
  for (const auto& definition : group.definitions) {
    auto& here = conditions.emplace_back();
    for (const Condition& condition : ConditionsOf(*definition, group.arity)) {
      const std::string name = condition.KeyName();
      if (here.emplace(name, condition).second) ++counts[name];
    }
  }
  const auto best =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == counts.end() || best->second < kLeastSelected) return nullptr;
  auto out = std::make_unique<RuleIndex>();
  std::map<Value, std::vector<std::uint32_t>> selected;
  for (std::uint32_t i = 0; i < conditions.size(); ++i) {
    const auto condition = conditions[i].find(best->first);
    if (condition == conditions[i].end()) {
      out->always.push_back(i);
      continue;
    }
    selected[*condition->second.constant].push_back(i);
    if (out->key.kind == NodeKind::kConstant) out->key = Copy(*condition->second.key);
  }
  for (auto& [constant, definitions] : selected) {
    out->constants.push_back(constant);
    out->selected.push_back(std::move(definitions));
  }
  return out;
}

std::span<const std::uint32_t> RuleIndex::Find(const Value* value) const {
  if (value == nullptr) return {};
  const auto at = std::lower_bound(constants.begin(), constants.end(), *value);
  if (at == constants.end() || *at != *value) return {};
  return selected[static_cast<std::size_t>(at - constants.begin())];
}

}  // namespace kata_cc::policy
