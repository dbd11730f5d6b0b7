// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/ast.h"

namespace kata_cc::policy {

Term Term::Clone() const {
  Term out(kind, location);
  out.value = value;
  out.name = name;
  out.variable = variable;
  out.first_local = first_local;
  out.end_local = end_local;
  out.parts.reserve(parts.size());
  for (const Term& part : parts)
    out.parts.push_back(part.Clone());
  if (body) {
    out.body = std::make_unique<Body>();
    for (const Expr& expr : *body)
      out.body->push_back(expr.Clone());
  }
  return out;
}

Term Term::Scalar(Value value, Location location) {
  Term out(TermKind::kScalar, location);
  out.value = std::move(value);
  return out;
}

Term Term::Var(std::string name, Location location) {
  Term out(TermKind::kVar, location);
  out.name = std::move(name);
  return out;
}

Term Term::Call(std::string operation, std::vector<Term> operands, Location location) {
  Term out(TermKind::kCall, location);
  out.parts.reserve(operands.size() + 1);
  out.parts.push_back(Var(std::move(operation), location));
  out.parts.back().value = Value::Bool(true);
  for (Term& operand : operands)
    out.parts.push_back(std::move(operand));
  return out;
}

Expr Expr::Clone() const {
  Expr out;
  out.kind = kind;
  out.negated = negated;
  out.location = location;
  out.first_local = first_local;
  out.end_local = end_local;
  for (const Term& term : terms)
    out.terms.push_back(term.Clone());
  for (const With& with : withs)
    out.withs.push_back({with.target.Clone(), with.value.Clone()});
  if (body) {
    out.body = std::make_unique<Body>();
    for (const Expr& expr : *body)
      out.body->push_back(expr.Clone());
  }
  return out;
}

}  // namespace kata_cc::policy
