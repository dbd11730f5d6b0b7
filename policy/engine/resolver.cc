// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/resolver.h"

#include <algorithm>

namespace kata_cc::policy {
namespace {

bool IsClosure(const Term& term) {
  return term.kind == TermKind::kArrayOf || term.kind == TermKind::kSetOf ||
         term.kind == TermKind::kObjectOf;
}

// a.b.c of names only; "" if it is anything else.
std::string DottedName(const Term& term) {
  if (term.kind == TermKind::kVar) return term.name;
  if (term.kind != TermKind::kRef || term.parts[0].kind != TermKind::kVar) return {};
  std::string out = term.parts[0].name;
  for (std::size_t i = 1; i < term.parts.size(); ++i) {
    if (!term.parts[i].is_string()) return {};
    out += '.';
    out += term.parts[i].value.string();
  }
  return out;
}

}  // namespace

Resolver::Resolver(Compiler& compiler, const ModuleAst* module)
    : compiler_(compiler), module_(module) {
  if (module_ == nullptr) return;
  rule_names_ = compiler_.RuleNames(module_->package);
  for (const Import& import : module_->imports)
    imports_[import.alias] = &import;
}

std::int32_t Resolver::NewVariable(std::string_view name) {
  names_.emplace_back(name);
  return static_cast<std::int32_t>(names_.size() - 1);
}

const std::int32_t* Resolver::FindVariable(std::string_view name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto it = scope->variables.find(name);
    if (it != scope->variables.end()) return &it->second;
  }
  return nullptr;
}

bool Resolver::IsGlobal(std::string_view name) const {
  if (name == "input" || name == "data" || imports_.contains(name)) return true;
  return rule_names_ != nullptr && rule_names_->contains(name);
}

bool Resolver::IsFunctionName(const Term& term) const {
  const std::string name = DottedName(term);
  if (name.empty()) return false;
  const std::string first = name.substr(0, name.find('.'));
  return FindVariable(first) == nullptr && !IsGlobal(first) &&
         compiler_.builtins_.Find(name) != nullptr;
}

void Resolver::Mentions(const Term& term, Names& out) const {
  if (IsClosure(term)) return;
  if (term.kind == TermKind::kVar) {
    if (term.name != "_") out.push_back(term.name);
    return;
  }
  const std::size_t first = term.kind == TermKind::kCall ? 1 : 0;
  for (std::size_t i = first; i < term.parts.size(); ++i)
    Mentions(term.parts[i], out);
}

// The variables that a pattern declares: not those in references and calls.
void Resolver::PatternNames(const Term& term, Names& out) const {
  if (term.kind == TermKind::kVar && term.name != "_") out.push_back(term.name);
  if (term.kind == TermKind::kArray) {
    for (const Term& part : term.parts)
      PatternNames(part, out);
  }
  if (term.kind == TermKind::kObject) {
    for (std::size_t i = 1; i < term.parts.size(); i += 2)
      PatternNames(term.parts[i], out);
  }
}

void Resolver::Mentions(const Body& body, Names& out, Names& declared) const {
  for (const Expr& expr : body) {
    for (const With& with : expr.withs) {
      if (!IsFunctionName(with.value)) Mentions(with.value, out);
    }
    switch (expr.kind) {
      case ExprKind::kSome:
        for (const Term& term : expr.terms)
          PatternNames(term, declared);
        break;
      case ExprKind::kSomeIn:
        for (std::size_t i = 0; i + 1 < expr.terms.size(); ++i)
          PatternNames(expr.terms[i], declared);
        for (const Term& term : expr.terms)
          Mentions(term, out);
        break;
      case ExprKind::kAssign:
        PatternNames(expr.terms[0], declared);
        Mentions(expr.terms[0], out);
        Mentions(expr.terms[1], out);
        break;
      case ExprKind::kEvery:
        Mentions(expr.terms[2], out);
        break;
      default:
        for (const Term& term : expr.terms)
          Mentions(term, out);
    }
  }
}

// Names that the body uses without declaring them, and no outer scope knows, are its variables.
void Resolver::OpenScope(const Body& body, const std::vector<Term*>& head) {
  Names mentioned;
  Names declared;
  Mentions(body, mentioned, declared);
  for (const Term* term : head)
    Mentions(*term, mentioned);
  std::sort(mentioned.begin(), mentioned.end());
  mentioned.erase(std::unique(mentioned.begin(), mentioned.end()), mentioned.end());
  std::sort(declared.begin(), declared.end());
  scopes_.emplace_back();
  for (const std::string_view name : mentioned) {
    if (std::binary_search(declared.begin(), declared.end(), name) ||
        FindVariable(name) != nullptr || IsGlobal(name)) {
      continue;
    }
    scopes_.back().variables.emplace(name, NewVariable(name));
  }
}

void Resolver::ResolveRule(std::vector<Term>& parameters, Body& body, std::vector<Term*> head) {
  Names in_parameters;
  for (const Term& parameter : parameters)
    PatternNames(parameter, in_parameters);
  // The first variables are the operands of a function, in order.
  scopes_.emplace_back();
  std::vector<std::string> direct;
  for (const Term& parameter : parameters) {
    const bool plain = parameter.kind == TermKind::kVar && parameter.name != "_" &&
                       std::find(direct.begin(), direct.end(), parameter.name) == direct.end();
    direct.push_back(plain ? parameter.name : "");
    const std::int32_t variable = NewVariable(direct.back());
    if (plain) scopes_.back().variables[parameter.name] = variable;
  }
  std::sort(in_parameters.begin(), in_parameters.end());
  for (const std::string_view name : in_parameters) {
    if (scopes_.back().variables.contains(name)) continue;
    scopes_.back().variables.emplace(name, NewVariable(name));
  }
  const Scope outer = scopes_.back();
  OpenScope(body, head);
  for (Term& parameter : parameters)
    ResolveTerm(parameter);
  ResolveBody(body);
  for (Term* term : head)
    ResolveTerm(*term);
  outermost_ = scopes_.back().variables;
  outermost_.insert(outer.variables.begin(), outer.variables.end());
  scopes_.clear();
}

void Resolver::ResolveBody(Body& body) {
  for (Expr& expr : body)
    ResolveExpr(expr);
}

void Resolver::ResolveExpr(Expr& expr) {
  for (With& with : expr.withs) {
    ResolveTarget(with.target);
    if (!IsFunctionName(with.value)) ResolveTerm(with.value);
  }
  switch (expr.kind) {
    case ExprKind::kSome:
      for (Term& term : expr.terms)
        Declare(term);
      return;
    case ExprKind::kSomeIn:
      ResolveTerm(expr.terms.back());
      for (std::size_t i = 0; i + 1 < expr.terms.size(); ++i)
        Declare(expr.terms[i]);
      return;
    case ExprKind::kAssign:
      ResolveTerm(expr.terms[1]);
      Declare(expr.terms[0]);
      return;
    case ExprKind::kEvery: {
      ResolveTerm(expr.terms[2]);
      expr.first_local = static_cast<std::int32_t>(names_.size());
      scopes_.emplace_back();
      Declare(expr.terms[0]);
      Declare(expr.terms[1]);
      OpenScope(*expr.body, {});
      ResolveBody(*expr.body);
      scopes_.pop_back();
      scopes_.pop_back();
      expr.end_local = static_cast<std::int32_t>(names_.size());
      return;
    }
    default:
      for (Term& term : expr.terms)
        ResolveTerm(term);
  }
}

void Resolver::Declare(Term& pattern) {
  switch (pattern.kind) {
    case TermKind::kVar: {
      if (pattern.name == "_") {
        pattern.variable = NewVariable("");
        return;
      }
      Scope& scope = scopes_.back();
      if (!scope.declared.insert(pattern.name).second) {
        compiler_.Report(pattern.location, "var " + pattern.name + " declared above");
      } else if (scope.seen.contains(pattern.name)) {
        compiler_.Report(pattern.location, "var " + pattern.name + " referenced above");
      }
      pattern.variable = NewVariable(pattern.name);
      scope.variables[pattern.name] = pattern.variable;
      return;
    }
    case TermKind::kArray:
      for (Term& part : pattern.parts)
        Declare(part);
      return;
    case TermKind::kObject:
      for (std::size_t i = 0; i < pattern.parts.size(); ++i)
        i % 2 == 0 ? ResolveTerm(pattern.parts[i]) : Declare(pattern.parts[i]);
      return;
    default:
      ResolveTerm(pattern);
  }
}

void Resolver::ResolveClosure(Term& term) {
  term.first_local = static_cast<std::int32_t>(names_.size());
  std::vector<Term*> head;
  for (Term& part : term.parts)
    head.push_back(&part);
  OpenScope(*term.body, head);
  ResolveBody(*term.body);
  for (Term* part : head)
    ResolveTerm(*part);
  scopes_.pop_back();
  term.end_local = static_cast<std::int32_t>(names_.size());
}

bool Resolver::Globalize(Term& term) {
  if (term.name == "input" || term.name == "data") {
    Term ref(TermKind::kRef, term.location);
    ref.parts.push_back(std::move(term));
    term = std::move(ref);
    return true;
  }
  std::vector<std::string> path;
  const auto import = imports_.find(term.name);
  if (rule_names_ != nullptr && rule_names_->contains(term.name)) {
    path.push_back("data");
    path.insert(path.end(), module_->package.begin(), module_->package.end());
    path.push_back(term.name);
  } else if (import != imports_.end()) {
    path = import->second->path;
  } else {
    return false;
  }
  Term ref(TermKind::kRef, term.location);
  ref.parts.push_back(Term::Var(path[0], term.location));
  for (std::size_t i = 1; i < path.size(); ++i)
    ref.parts.push_back(Term::Scalar(Value::String(path[i]), term.location));
  term = std::move(ref);
  return true;
}

void Resolver::ResolveTerm(Term& term) {
  switch (term.kind) {
    case TermKind::kScalar:
      return;
    case TermKind::kVar:
      if (term.name == "_") {
        term.variable = NewVariable("");
        return;
      }
      if (const std::int32_t* variable = FindVariable(term.name)) {
        term.variable = *variable;
      } else if (!Globalize(term)) {
        // Declared further down in this body.
        scopes_.back().seen.insert(term.name);
        compiler_.Report(term.location, "var " + term.name + " is unsafe");
        term.variable = NewVariable(term.name);
      }
      return;
    case TermKind::kRef: {
      for (Term& part : term.parts)
        ResolveTerm(part);
      // The head may have become a reference itself.
      if (term.parts[0].kind == TermKind::kRef) {
        std::vector<Term> parts = std::move(term.parts[0].parts);
        for (std::size_t i = 1; i < term.parts.size(); ++i)
          parts.push_back(std::move(term.parts[i]));
        term.parts = std::move(parts);
      }
      return;
    }
    case TermKind::kCall:
      ResolveOperator(term.parts[0]);
      for (std::size_t i = 1; i < term.parts.size(); ++i)
        ResolveTerm(term.parts[i]);
      return;
    case TermKind::kArrayOf:
    case TermKind::kSetOf:
    case TermKind::kObjectOf:
      ResolveClosure(term);
      return;
    default:
      for (Term& part : term.parts)
        ResolveTerm(part);
  }
}

// A function's name becomes a reference to data, a builtin's stays a name.
void Resolver::ResolveOperator(Term& term) {
  if (term.is_operator()) return;
  const std::string name = DottedName(term);
  const std::string first = name.substr(0, name.find('.'));
  Term& head = term.kind == TermKind::kRef ? term.parts[0] : term;
  if (!first.empty() && FindVariable(first) == nullptr && IsGlobal(first)) {
    // An import or package may have the name of a builtin's family (`import data.lib.strings`).
    Globalize(head);
    if (term.kind == TermKind::kRef && term.parts[0].kind == TermKind::kRef) {
      std::vector<Term> parts = std::move(term.parts[0].parts);
      for (std::size_t i = 1; i < term.parts.size(); ++i)
        parts.push_back(std::move(term.parts[i]));
      term.parts = std::move(parts);
    }
    return;
  }
  const Location where = term.location;
  term = Term::Var(name, where);
}

void Resolver::ResolveTarget(Term& term) {
  if (IsFunctionName(term)) {
    const Location where = term.location;
    term = Term::Var(DottedName(term), where);
    return;
  }
  Term& head = term.kind == TermKind::kRef ? term.parts[0] : term;
  const std::string name = head.name;
  if (head.kind == TermKind::kVar && IsGlobal(name)) {
    Globalize(head);
    if (term.kind == TermKind::kRef && term.parts[0].kind == TermKind::kRef) {
      std::vector<Term> parts = std::move(term.parts[0].parts);
      for (std::size_t i = 1; i < term.parts.size(); ++i)
        parts.push_back(std::move(term.parts[i]));
      term.parts = std::move(parts);
    }
    return;
  }
  compiler_.Report(term.location,
                   "with: the target must be input, data, a rule, a function or a builtin");
}

}  // namespace kata_cc::policy
