// SPDX-License-Identifier: Apache-2.0
// Compiler: syntax trees of modules to groups of definitions, with all that can be known before any
// input: names, order, safety, arity, recursion.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "policy/engine/ast.h"
#include "policy/engine/ir.h"

namespace kata_cc::policy {

// Changes of one character that make one text the other; some number above most if they are more.
std::size_t EditDistance(std::string_view a, std::string_view b, std::size_t most);

// The builtins at hand, by name.
class BuiltinTable {
 public:
  void Add(const BuiltinFamily& family);
  const Builtin* Find(std::string_view name) const;
  // The names alone, for suggestions.
  const std::unordered_map<std::string_view, const Builtin*>& all() const { return by_name_; }
  // Of a builtin that a switched-off family has.
  void AddOff(const BuiltinFamily& family);
  std::string_view OffFamily(std::string_view name) const;

 private:
  std::unordered_map<std::string_view, const Builtin*> by_name_;
  std::unordered_map<std::string_view, std::string_view> off_;
};

struct Program {
  std::vector<std::string> module_names;
  std::vector<ModuleAst> modules;
  std::vector<std::unique_ptr<Group>> groups;
  TreeNode root;
  std::uint32_t tree_nodes = 1;
};

// A compiled query: one definition whose value is an array of its named variables.
struct CompiledQuery {
  Definition definition;
  std::vector<std::string> names;
  std::vector<std::string> expressions;  // Text of each, in order.
  bool single_expression = false;
};

class Compiler {
 public:
  // Of ordering, in one policy or query: terms looked at, again for each try. A policy of 86 KB
  // takes 7,000; a nest that is made for it would take 2 to the power of its depth.
  static constexpr std::uint64_t kMostSteps = 1'000'000;

  Compiler(Program& program, const BuiltinTable& builtins)
      : program_(program), builtins_(builtins) {}

  // InvalidArgument: the first errors, each name:line:column: text, one a line. ResourceExhausted:
  // beyond kMostSteps.
  Result<void> Compile();
  // A query's names are those of no package; terms is one value node an expression, if values are
  // wanted.
  Result<CompiledQuery> CompileQuery(Body body, std::string_view name);

 private:
  friend class Resolver;
  friend class BodyCompiler;

  struct Place {  // Where a rule's definitions go.
    Group* group = nullptr;
    std::size_t keys_from = 0;  // The part of the rule's path that is not the group's.
  };
  void BuildTree();
  std::vector<std::string> ConstantPrefix(const ModuleAst& module, const Rule& rule) const;
  Place PlaceOf(const ModuleAst& module, const Rule& rule);
  void CheckHead(const Group& group, const Rule& rule, GroupKind kind);
  void CompileRule(const ModuleAst& module, Rule& rule);
  std::unique_ptr<Definition> CompileDefinition(const ModuleAst& module, Rule& rule, Rule& head,
                                                std::size_t keys_from);
  void FinishGroup(Group& group);
  void CheckTree(const TreeNode& node);
  void CheckRecursion();
  bool Spend(std::uint64_t steps);  // False: there are none left.
  void Report(const Location& location, std::string text);
  void ReportUnknownFunction(const Location& location, const std::string& name);
  bool IsMocked(const Builtin& builtin) const { return mocked_.contains(builtin.name); }
  Value Metadata(bool chain) const;  // Of the rule that is being compiled.
  NodeKind FastKind(const Builtin& builtin) const;
  void CollectMocks(const Rule& rule);
  void CollectMocks(const Term& term);
  void CollectMocks(const Expr& expr);
  Result<void> Errors() const;
  std::string At(const Location& location) const;
  const std::set<std::string, std::less<>>* RuleNames(
      const std::vector<std::string>& package) const;
  const TreeNode* FindNode(const std::vector<std::string>& path) const;

  Program& program_;
  const BuiltinTable& builtins_;
  std::vector<std::string> errors_;
  std::set<std::string> reported_;
  std::map<std::vector<std::string>, std::set<std::string, std::less<>>>
      rule_names_;                              // By package.
  std::set<std::string, std::less<>> mocked_;   // Builtins, somewhere.
  std::set<std::vector<std::string>> dynamic_;  // Paths of rules with variables in their heads.
  Group* current_ = nullptr;
  const ModuleAst* current_module_ = nullptr;
  const Rule* current_rule_ = nullptr;
  std::string query_name_;
  std::uint64_t steps_left_ = kMostSteps;
};

}  // namespace kata_cc::policy
