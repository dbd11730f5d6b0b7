// SPDX-License-Identifier: Apache-2.0
// Resolver: gives every variable of a rule its number, and turns other names into references to
// data and input. Declarations hold from where they stand, as in the text's order.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/compiler.h"

namespace kata_cc::policy {

class Resolver {
 public:
  // The module's names; a query has no module.
  Resolver(Compiler& compiler, const ModuleAst* module);

  // A rule's parts, in one scope: parameters, body, then the terms of the head.
  void ResolveRule(std::vector<Term>& parameters, Body& body, std::vector<Term*> head);
  // The names of the variables by number; "" for wildcards.
  std::vector<std::string>& names() { return names_; }
  // Variables of the outermost scope by name.
  const std::map<std::string, std::int32_t, std::less<>>& outermost() const { return outermost_; }

 private:
  using Names = std::vector<std::string_view>;  // Of terms that are not resolved yet.
  struct Scope {
    std::map<std::string, std::int32_t, std::less<>> variables;
    std::set<std::string, std::less<>> declared;  // By :=, some and parameters.
    std::set<std::string, std::less<>> seen;      // Read before any declaration.
  };

  std::int32_t NewVariable(std::string_view name);
  const std::int32_t* FindVariable(std::string_view name) const;
  bool IsGlobal(std::string_view name) const;
  bool IsFunctionName(const Term& term) const;

  void Mentions(const Term& term, Names& out) const;
  void Mentions(const Body& body, Names& out, Names& declared) const;
  void PatternNames(const Term& term, Names& out) const;
  void OpenScope(const Body& body, const std::vector<Term*>& head);
  void ResolveBody(Body& body);
  void ResolveExpr(Expr& expr);
  void ResolveTerm(Term& term);
  void ResolveOperator(Term& term);
  void ResolveTarget(Term& term);
  void ResolveClosure(Term& term);
  void Declare(Term& pattern);
  bool Globalize(Term& term);  // A name of a rule, an import, input or data.

  Compiler& compiler_;
  const ModuleAst* module_;
  const std::set<std::string, std::less<>>* rule_names_ = nullptr;  // Of the package.
  std::map<std::string, const Import*, std::less<>> imports_;
  std::vector<Scope> scopes_;
  std::vector<std::string> names_;
  std::map<std::string, std::int32_t, std::less<>> outermost_;
};

}  // namespace kata_cc::policy
