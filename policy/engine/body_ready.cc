// SPDX-License-Identifier: Apache-2.0
// Whether a term or an expression can be emitted with what is bound.
#include <algorithm>

#include "policy/engine/body_compiler.h"

namespace kata_cc::policy {

// Cheap, and sure: where it says no, a dry run may still succeed.
bool BodyCompiler::IsReady(const Term& term) const {
  if (!compiler_.Spend(1)) return false;
  switch (term.kind) {
    case TermKind::kScalar:
      return true;
    case TermKind::kVar:
      return term.variable >= 0 && IsBound(term.variable);
    case TermKind::kArrayOf:
    case TermKind::kSetOf:
    case TermKind::kObjectOf:
      return FreeBound(term);
    default:
      break;
  }
  std::size_t first = term.kind == TermKind::kCall ? 1 : 0;
  if (term.kind == TermKind::kRef && term.parts[0].kind == TermKind::kVar &&
      term.parts[0].variable < 0) {
    first = 1;  // input or data
  }
  for (std::size_t i = first; i < term.parts.size(); ++i) {
    if (!IsReady(term.parts[i])) return false;
  }
  return true;
}

bool BodyCompiler::IsReady(const Expr& expr) const {
  if (!compiler_.Spend(1)) return false;
  if (!expr.withs.empty()) return false;
  const auto ready_or_variable = [this](const Term& term) {
    return (term.kind == TermKind::kVar && term.variable >= 0) || IsReady(term);
  };
  switch (expr.kind) {
    case ExprKind::kTerm:
      return IsReady(expr.terms[0]);
    case ExprKind::kUnify:
    case ExprKind::kAssign:
      if (IsReady(expr.terms[1]) && !expr.negated) return ready_or_variable(expr.terms[0]);
      return IsReady(expr.terms[0]) && IsReady(expr.terms[1]);
    case ExprKind::kSomeIn:
      return IsReady(expr.terms.back()) &&
             std::all_of(expr.terms.begin(), expr.terms.end() - 1, ready_or_variable);
    default:
      return false;
  }
}

// The variables that the expression would bind if it could be evaluated.
void BodyCompiler::Bindable(const Term& term, bool pattern, std::set<std::int32_t>& out) const {
  if (term.kind == TermKind::kVar && pattern && term.variable >= 0) out.insert(term.variable);
  const bool inside = pattern && IsPattern(term);
  for (std::size_t i = 0; i < term.parts.size(); ++i)
    Bindable(term.parts[i], inside || (term.kind == TermKind::kRef && i > 0), out);
}

// Names what is missing, and of what waits for it only that: x := y + 1 is not to blame for y.
void BodyCompiler::ReportUnsafe(const std::vector<const Expr*>& waiting) {
  std::set<std::int32_t> bindable;
  for (const Expr* expr : waiting) {
    const bool matches = expr->kind == ExprKind::kUnify || expr->kind == ExprKind::kAssign ||
                         expr->kind == ExprKind::kSomeIn;
    if (expr->negated) continue;
    for (const Term& term : expr->terms)
      Bindable(term, matches, bindable);
  }
  if (ReportUnbound(waiting, bindable) || ReportUnbound(waiting, {})) return;
  compiler_.Report(waiting[0]->location, "expression is unsafe");
}

// False: there are none but those.
bool BodyCompiler::ReportUnbound(const std::vector<const Expr*>& waiting,
                                 const std::set<std::int32_t>& but) {
  bool named = false;
  for (const Expr* expr : waiting) {
    std::set<std::int32_t> variables;
    FreeVariables(*expr, variables);
    for (const std::int32_t variable : variables) {
      if (IsBound(variable) || but.contains(variable)) continue;
      const std::string& name = names_[static_cast<std::size_t>(variable)];
      compiler_.Report(expr->location, "var " + (name.empty() ? "_" : name) + " is unsafe");
      named = true;
    }
  }
  return named;
}

void BodyCompiler::FreeVariables(const Term& term, std::set<std::int32_t>& out) const {
  if (term.kind == TermKind::kVar) {
    if (term.variable >= 0) out.insert(term.variable);
    return;
  }
  std::set<std::int32_t> inside;
  std::set<std::int32_t>& here = term.body ? inside : out;
  for (const Term& part : term.parts)
    FreeVariables(part, here);
  if (!term.body) return;
  for (const Expr& expr : *term.body)
    FreeVariables(expr, here);
  for (const std::int32_t variable : inside) {
    if (variable < term.first_local || variable >= term.end_local) out.insert(variable);
  }
}

void BodyCompiler::FreeVariables(const Expr& expr, std::set<std::int32_t>& out) const {
  std::set<std::int32_t> inside;
  std::set<std::int32_t>& here = expr.body ? inside : out;
  for (const Term& term : expr.terms)
    FreeVariables(term, here);
  for (const With& with : expr.withs)
    FreeVariables(with.value, here);
  if (!expr.body) return;
  for (const Expr& each : *expr.body)
    FreeVariables(each, here);
  for (const std::int32_t variable : inside) {
    if (variable < expr.first_local || variable >= expr.end_local) out.insert(variable);
  }
}

bool BodyCompiler::FreeBound(const Term& term) const {
  std::set<std::int32_t> variables;
  FreeVariables(term, variables);
  return std::all_of(variables.begin(), variables.end(), [this](auto v) { return IsBound(v); });
}

bool BodyCompiler::FreeBound(const Expr& expr) const {
  std::set<std::int32_t> variables;
  FreeVariables(expr, variables);
  return std::all_of(variables.begin(), variables.end(), [this](auto v) { return IsBound(v); });
}

}  // namespace kata_cc::policy
