// SPDX-License-Identifier: Apache-2.0
// Arrays, objects, sets, their comprehensions, and templates.
#include <utility>

#include "policy/engine/parser_state.h"

namespace kata_cc::policy {
namespace {

constexpr int kAboveOr = 3;
constexpr std::size_t kMostFailedConstants = 16;

// A composite of constants is a constant.
Term Folded(Term term) {
  for (const Term& part : term.parts) {
    if (part.kind != TermKind::kScalar) return term;
  }
  std::vector<Value> values;
  if (term.kind == TermKind::kObject) {
    std::vector<Member> members;
    members.reserve(term.parts.size() / 2);
    for (std::size_t i = 0; i + 1 < term.parts.size(); i += 2) {
      members.push_back({std::move(term.parts[i].value), std::move(term.parts[i + 1].value)});
    }
    return Term::Scalar(Value::Object(std::move(members)), term.location);
  }
  values.reserve(term.parts.size());
  for (Term& part : term.parts)
    values.push_back(std::move(part.value));
  return Term::Scalar(term.kind == TermKind::kArray ? Value::Array(std::move(values))
                                                    : Value::Set(std::move(values)),
                      term.location);
}

}  // namespace

// The tokens of the brackets are those of a constant: straight to the value, without a term for
// each part. False: no constant after all, and nothing is taken.
bool ParserState::TakeConstant(Term& out) {
  if (!now().constant || failed_constants_ > kMostFailedConstants) return false;
  const std::size_t back = at_;
  auto value = ParseConstant();
  if (!value) {
    at_ = back;
    ++failed_constants_;
    return false;
  }
  out.kind = TermKind::kScalar;
  out.value = *std::move(value);
  return true;
}

Result<Value> ParserState::ParseConstant() {
  const Nested nested(*this);
  TRY(CheckLimits());
  Value out;
  switch (now().kind) {
    case TokenKind::kString:
      out = Value::String(now().text);
      Advance();
      return out;
    case TokenKind::kNumber:
      TRY(ParseNumber(false, out));
      return out;
    case TokenKind::kName:
      if (!IsWordOfJson(now().text)) return Fail("expected a constant");
      if (now().text != "null") out = Value::Bool(now().text == "true");
      Advance();
      return out;
    default:
      break;
  }
  if (Take("-")) {
    if (now().kind != TokenKind::kNumber || now().space_before) return Fail("expected a number");
    TRY(ParseNumber(true, out));
    return out;
  }
  if (Take("[")) {
    auto items = TRY(ParseConstants("]"));
    return Value::Array(std::move(items));
  }
  TRY(Expect("{"));
  if (Take("}")) return Value::Object({});
  Value first = TRY(ParseConstant());
  if (At(":")) return ParseConstantObject(std::move(first));
  if (!At("}")) TRY(Expect(","));
  auto items = TRY(ParseConstants("}"));
  items.push_back(std::move(first));
  return Value::Set(std::move(items));
}

Result<std::vector<Value>> ParserState::ParseConstants(std::string_view end) {
  std::vector<Value> items;
  while (!Take(end)) {
    items.push_back(TRY(ParseConstant()));
    if (Take(end)) break;
    TRY(Expect(","));
  }
  return items;
}

Result<Value> ParserState::ParseConstantObject(Value first_key) {
  std::vector<Member> members;
  members.push_back({std::move(first_key), {}});
  for (;;) {
    TRY(Expect(":"));
    members.back().value = TRY(ParseConstant());
    if (Take("}")) break;
    TRY(Expect(","));
    if (Take("}")) break;
    members.push_back({TRY(ParseConstant()), {}});
  }
  return Value::Object(std::move(members));
}

// At the | after the head. On an error the caller may try another reading.
Result<Term> ParserState::ParseComprehension(TermKind kind, std::vector<Term> head,
                                             std::string_view end, Location start) {
  Advance();
  Term out(kind, start);
  out.parts = std::move(head);
  out.body = std::make_unique<Body>(TRY(ParseBody(end)));
  return out;
}

Result<void> ParserState::ParseArray(Term& out) {
  if (TakeConstant(out)) return {};
  const Location start = location();
  Advance();
  Term array(TermKind::kArray, start);
  const auto finish = [&]() -> Result<void> {
    TRY(ParseList("]", array.parts));
    out = Folded(std::move(array));
    return {};
  };
  if (At("]")) return finish();
  // [a | b] is a comprehension if its tail can be a body, else the union of two sets.
  const std::size_t back = at_;
  Term head;
  TRY(ParseInfix(kAboveOr, head));
  if (At("|")) {
    std::vector<Term> heads;
    heads.push_back(std::move(head));
    auto comprehension = ParseComprehension(TermKind::kArrayOf, std::move(heads), "]", start);
    if (comprehension) {
      out = *std::move(comprehension);
      return {};
    }
    at_ = back;
    if (finish()) return {};
    return std::move(comprehension).error();  // The likelier one.
  }
  if (At(",") || At("]")) {
    array.parts.push_back(std::move(head));
    if (!At("]")) TRY(Expect(","));
  } else {
    at_ = back;  // An operator of lower rank, or `in`.
  }
  return finish();
}

bool ParserState::AtMemberEnd(bool key) const {
  return At(",") || At("}") || (key && At(":"));
}

// After the first member.
Result<void> ParserState::FinishObject(std::vector<Term> parts, Location start, Term& out) {
  Term object(TermKind::kObject, start);
  object.parts = std::move(parts);
  while (!Take("}")) {
    TRY(Expect(","));
    if (Take("}")) break;
    TRY(ParseListElement(object.parts.emplace_back()));
    TRY(Expect(":"));
    TRY(ParseListElement(object.parts.emplace_back()));
  }
  out = Folded(std::move(object));
  return {};
}

Result<void> ParserState::ParseBraces(Term& out) {
  if (TakeConstant(out)) return {};
  const Location start = location();
  Advance();
  const auto take = [&out](Result<Term>& made) {
    const bool taken = made.has_value();
    if (taken) out = *std::move(made);
    return taken;
  };
  const std::size_t back = at_;
  std::vector<Term> parts(1);
  TRY(ParseInfix(kAboveOr, parts[0]));
  if (At("|")) {
    auto set = ParseComprehension(TermKind::kSetOf, std::move(parts), "}", start);
    if (take(set)) return {};
    at_ = back;
    parts.clear();
    if (!ParseListElement(parts.emplace_back()) || !AtMemberEnd(true)) {
      return std::move(set).error();
    }
  } else if (!AtMemberEnd(true)) {
    at_ = back;
    TRY(ParseListElement(parts[0]));
  }
  if (!Take(":")) {
    Term set(TermKind::kSet, start);
    set.parts = std::move(parts);
    if (!At("}")) TRY(Expect(","));
    TRY(ParseList("}", set.parts));
    out = Folded(std::move(set));
    return {};
  }
  const std::size_t value_at = at_;
  TRY(ParseInfix(kAboveOr, parts.emplace_back()));
  if (At("|")) {
    std::vector<Term> heads;
    heads.push_back(parts[0].Clone());
    heads.push_back(std::move(parts[1]));
    auto object = ParseComprehension(TermKind::kObjectOf, std::move(heads), "}", start);
    if (take(object)) return {};
    at_ = value_at;
    if (!ParseListElement(parts[1]) || !AtMemberEnd(false)) return std::move(object).error();
  } else if (!AtMemberEnd(false)) {
    at_ = value_at;
    TRY(ParseListElement(parts[1]));
  }
  return FinishObject(std::move(parts), start, out);
}

Result<void> ParserState::ParseTemplate(Term& out) {
  out = Term(TermKind::kTemplate, location());
  Advance();
  for (;;) {
    const Token token = now();
    const Location start = location();
    Advance();
    switch (token.kind) {
      case TokenKind::kTemplateEnd:
        return {};
      case TokenKind::kTemplateText:
        if (!token.text.empty()) {
          out.parts.push_back(Term::Scalar(Value::String(token.text), start));
        }
        break;
      case TokenKind::kTemplateExpr: {
        // {v | v = expression}: none is "<undefined>", two are a conflict.
        if (now().kind == TokenKind::kTemplateExprEnd) return Fail("empty template expression");
        Expr literal = TRY(ParseLiteral());
        if (literal.negated || literal.kind != ExprKind::kTerm) {
          return FailAt(start, "a template takes an expression with a value");
        }
        if (now().kind != TokenKind::kTemplateExprEnd) return Fail("expected } of the template");
        Advance();
        literal.kind = ExprKind::kAssign;
        literal.terms.insert(literal.terms.begin(), Term::Var("$value", start));
        Term set(TermKind::kSetOf, start);
        set.parts.push_back(Term::Var("$value", start));
        set.body = std::make_unique<Body>();
        set.body->push_back(std::move(literal));
        out.parts.push_back(std::move(set));
        break;
      }
      default:
        return FailAt(start, "malformed template");
    }
  }
}

}  // namespace kata_cc::policy
