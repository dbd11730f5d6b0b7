// SPDX-License-Identifier: Apache-2.0
// The tree of packages and rules, and what can be said from names and heads alone.
#include <numeric>

#include "policy/engine/compiler.h"

namespace kata_cc::policy {

void Compiler::CollectMocks(const Term& term) {
  for (const Term& part : term.parts)
    CollectMocks(part);
  if (!term.body) return;
  for (const Expr& expr : *term.body)
    CollectMocks(expr);
}

void Compiler::CollectMocks(const Expr& expr) {
  for (const Term& term : expr.terms)
    CollectMocks(term);
  for (const With& with : expr.withs) {
    CollectMocks(with.value);
    std::string name = with.target.name;
    if (with.target.kind == TermKind::kRef) {
      name = with.target.parts[0].name;
      for (std::size_t i = 1; i < with.target.parts.size(); ++i) {
        if (with.target.parts[i].is_string()) {
          name += "." + std::string(with.target.parts[i].value.string());
        }
      }
    }
    if (builtins_.Find(name) != nullptr) mocked_.insert(name);
  }
  if (!expr.body) return;
  for (const Expr& each : *expr.body)
    CollectMocks(each);
}

void Compiler::CollectMocks(const Rule& rule) {
  for (const Expr& expr : rule.body)
    CollectMocks(expr);
  if (rule.value) CollectMocks(*rule.value);
  if (rule.key) CollectMocks(*rule.key);
  if (rule.else_rule) CollectMocks(*rule.else_rule);
}

const TreeNode* Compiler::FindNode(const std::vector<std::string>& path) const {
  const TreeNode* node = &program_.root;
  for (const std::string& part : path) {
    const auto child = node->children.find(part);
    if (child == node->children.end()) return nullptr;
    node = child->second.get();
  }
  return node;
}

const std::set<std::string, std::less<>>* Compiler::RuleNames(
    const std::vector<std::string>& package) const {
  const auto it = rule_names_.find(package);
  return it == rule_names_.end() ? nullptr : &it->second;
}

// The package and the strings at the beginning of the head's path.
std::vector<std::string> Compiler::ConstantPrefix(const ModuleAst& module, const Rule& rule) const {
  std::vector<std::string> out = module.package;
  for (const Term& part : rule.path) {
    if (!part.is_string()) break;
    out.emplace_back(part.value.string());
  }
  return out;
}

// A rule below one with variables in its head belongs to that one's group.
Compiler::Place Compiler::PlaceOf(const ModuleAst& module, const Rule& rule) {
  std::vector<std::string> path = ConstantPrefix(module, rule);
  const std::size_t package = module.package.size();
  GroupKind kind = GroupKind::kComplete;
  if (rule.is_function) {
    kind = GroupKind::kFunction;
  } else {
    for (std::size_t size = package + 1; size <= path.size(); ++size) {
      const std::vector<std::string> prefix(path.begin(),
                                            path.begin() + static_cast<std::ptrdiff_t>(size));
      if (!dynamic_.contains(prefix)) continue;
      path = prefix;
      kind = GroupKind::kObject;
      break;
    }
    const bool whole = path.size() - package == rule.path.size();
    if (kind == GroupKind::kComplete && rule.kind == RuleKind::kSet) kind = GroupKind::kSet;
    if (whole && kind == GroupKind::kObject) {
      Report(rule.location, "conflicting rules: data." + path.back() +
                                " is also a partial object, with variables in its head");
    }
  }
  TreeNode* node = &program_.root;
  for (const std::string& part : path) {
    auto& child = node->children[part];
    if (!child) {
      child = std::make_unique<TreeNode>();
      child->id = program_.tree_nodes++;
      child->path = node->path;
      child->path.push_back(part);
    }
    node = child.get();
  }
  if (node->group == nullptr) {
    program_.groups.push_back(std::make_unique<Group>());
    node->group = program_.groups.back().get();
    node->group->path = path;
    node->group->id = static_cast<std::uint32_t>(program_.groups.size() - 1);
    node->group->kind = kind;
    node->group->arity = rule.parameters.size();
    node->group->location = rule.location;
  }
  CheckHead(*node->group, rule, kind);
  return {node->group, path.size() - package};
}

void Compiler::CheckHead(const Group& group, const Rule& rule, GroupKind kind) {
  if (group.kind != kind) {
    Report(rule.location,
           "conflicting rules: " + group.Name() + " is of another kind at " + At(group.location));
  } else if (group.kind == GroupKind::kFunction && group.arity != rule.parameters.size()) {
    Report(rule.location, "conflicting rules: " + group.Name() + " takes " +
                              std::to_string(group.arity) + " operands at " + At(group.location));
  }
}

void Compiler::BuildTree() {
  for (const ModuleAst& module : program_.modules) {
    auto& names = rule_names_[module.package];
    for (const Rule& rule : module.rules) {
      names.emplace(rule.path[0].value.string());
      CollectMocks(rule);
      const std::vector<std::string> prefix = ConstantPrefix(module, rule);
      if (!rule.is_function && prefix.size() - module.package.size() < rule.path.size()) {
        dynamic_.insert(prefix);
      }
    }
  }
  for (const ModuleAst& module : program_.modules) {
    for (const Rule& rule : module.rules)
      PlaceOf(module, rule);
    // A package without rules is an empty object.
    TreeNode* node = &program_.root;
    for (const std::string& part : module.package) {
      auto& child = node->children[part];
      if (!child) {
        child = std::make_unique<TreeNode>();
        child->id = program_.tree_nodes++;
        child->path = node->path;
        child->path.push_back(part);
      }
      node = child.get();
    }
  }
}

void Compiler::CheckTree(const TreeNode& node) {
  if (node.group != nullptr && !node.children.empty()) {
    const TreeNode* below = node.children.begin()->second.get();
    while (below->group == nullptr && !below->children.empty())
      below = below->children.begin()->second.get();
    Report(node.group->location,
           "conflicting rules: " + node.group->Name() + " and data" +
               std::accumulate(below->path.begin(), below->path.end(), std::string(),
                               [](std::string sum, const std::string& part) {
                                 return std::move(sum) + "." + part;
                               }));
  }
  for (const auto& [name, child] : node.children)
    CheckTree(*child);
}

}  // namespace kata_cc::policy
