// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "policy/engine/parser_state.h"

namespace kata_cc::policy {
namespace {

struct Operator {
  std::string_view sign;
  std::string_view name;
  int level;
};
constexpr std::array kOperators = {
    Operator{"==", "equal", 1}, Operator{"!=", "neq", 1}, Operator{"<", "lt", 1},
    Operator{"<=", "lte", 1},   Operator{">", "gt", 1},   Operator{">=", "gte", 1},
    Operator{"|", "or", 2},     Operator{"&", "and", 3},  Operator{"+", "plus", 4},
    Operator{"-", "minus", 4},  Operator{"*", "mul", 5},  Operator{"/", "div", 5},
    Operator{"%", "rem", 5},
};
constexpr int kAnyLevel = 1;
constexpr std::size_t kUsualParts = 4;  // Of a reference or call.

}  // namespace

Error ParserState::FailAt(const Location& location, std::string_view what) const {
  return {Code::kInvalidArgument, name_ + ":" + std::to_string(location.line) + ":" +
                                      std::to_string(location.column) + ": " + std::string(what)};
}

Error ParserState::Fail(std::string_view what) const {
  std::string text(what);
  if (now().kind == TokenKind::kEnd) {
    text += ", at the end of the text";
  } else if (now().kind == TokenKind::kString || now().kind == TokenKind::kTemplateText) {
    text += ", at a string";
  } else if (!now().text.empty()) {
    text += ", at ";
    text += now().text;
  }
  return FailAt(location(), text);
}

Result<void> ParserState::CheckLimits() {
  too_deep_ = too_deep_ || depth_ > options_.depth;
  if (too_deep_) return Fail("nested deeper than the limit");
  if (budget_ == 0) return Fail("too ambiguous");
  return {};
}

Result<void> ParserState::Expect(std::string_view punctuation) {
  if (Take(punctuation)) return {};
  return Fail("expected '" + std::string(punctuation) + "'");
}

bool ParserState::IsKeyword(std::string_view name) const {
  constexpr std::array<std::string_view, 11> kAlways = {
      "package", "import", "as", "default", "else", "not", "some", "with", "null", "true", "false"};
  if (std::find(kAlways.begin(), kAlways.end(), name) != kAlways.end()) return true;
  return (name == "in" && (keywords_ & kIn) != 0) ||
         (name == "every" && (keywords_ & kEvery) != 0) ||
         (name == "contains" && (keywords_ & kContains) != 0) ||
         (name == "if" && (keywords_ & kIf) != 0);
}

// A keyword followed by .name is the head of a reference.
bool ParserState::AtKeyword(std::string_view word) const {
  return now().kind == TokenKind::kName && now().code != 0 && now().text == word && AtAnyKeyword();
}

bool ParserState::AtAnyKeyword() const {
  if (now().kind != TokenKind::kName || now().code == 0 || !IsKeyword(now().text)) return false;
  const Token& after = next();
  return after.kind != TokenKind::kPunctuation || after.space_before || after.text != ".";
}

Result<Body> ParserState::ParseBody(std::string_view end) {
  const Nested nested(*this);
  TRY(CheckLimits());
  const auto at_end = [&] { return end.empty() ? now().kind == TokenKind::kEnd : At(end); };
  Body body;
  if (at_end()) return Fail("found empty body");
  for (;;) {
    body.push_back(TRY(ParseLiteral()));
    const bool semicolon = Take(";");
    if (at_end()) {
      if (!end.empty()) Advance();
      return body;
    }
    if (now().kind == TokenKind::kEnd) return Fail("expected '" + std::string(end) + "'");
    if (!semicolon && at_ > 0 && now().line == tokens_.list[at_ - 1].line) {
      return Fail("expected a new line, ';' or '" + std::string(end) + "'");
    }
  }
}

Result<Expr> ParserState::ParseLiteral() {
  TRY(CheckLimits());
  Expr expr;
  const Location start = location();
  if (AtKeyword("some")) {
    expr = TRY(ParseSome());
  } else if (AtKeyword("every")) {
    expr = TRY(ParseEvery());
  } else {
    const bool negated = TakeKeyword("not");
    if (negated && AtKeyword("some")) return Fail("some cannot be negated");
    TRY(ParseExpression(expr.terms.emplace_back()));
    if (At(":=") || At("=")) {
      expr.kind = At(":=") ? ExprKind::kAssign : ExprKind::kUnify;
      Advance();
      TRY(ParseExpression(expr.terms.emplace_back()));
    }
    expr.negated = negated;
  }
  expr.location = start;
  while (TakeKeyword("with")) {
    With with;
    TRY(ParseTerm(with.target));
    if (with.target.kind != TermKind::kVar && with.target.kind != TermKind::kRef) {
      return FailAt(with.target.location, "with: the target must be input, data or a function");
    }
    if (!TakeKeyword("as")) return Fail("expected as");
    TRY(ParseExpression(with.value));
    expr.withs.push_back(std::move(with));
  }
  return expr;
}

Result<Expr> ParserState::ParseSome() {
  Advance();
  Expr expr;
  expr.kind = ExprKind::kSome;
  for (;;) {
    TRY(ParseInfix(kAnyLevel, expr.terms.emplace_back()));
    if (!Take(",")) break;
  }
  if (TakeKeyword("in")) {
    if (expr.terms.size() > 2) return Fail("some ... in takes one or two terms");
    expr.kind = ExprKind::kSomeIn;
    TRY(ParseInfix(kAnyLevel, expr.terms.emplace_back()));
    return expr;
  }
  for (const Term& term : expr.terms) {
    if (term.kind != TermKind::kVar) return FailAt(term.location, "some: expected a variable");
  }
  return expr;
}

Result<Expr> ParserState::ParseEvery() {
  Advance();
  Expr expr;
  expr.kind = ExprKind::kEvery;
  expr.terms.push_back(Term::Var("_", location()));
  for (;;) {
    Term term;
    TRY(ParseTerm(term));
    if (term.kind != TermKind::kVar) return FailAt(term.location, "every: expected a variable");
    expr.terms.push_back(std::move(term));
    if (!Take(",")) break;
    if (expr.terms.size() > 2) return Fail("every takes one or two variables");
  }
  if (expr.terms.size() == 3) expr.terms.erase(expr.terms.begin());
  if (!TakeKeyword("in")) return Fail("expected in");
  TRY(ParseExpression(expr.terms.emplace_back()));
  TRY(Expect("{"));
  expr.body = std::make_unique<Body>(TRY(ParseBody("}")));
  return expr;
}

Result<void> ParserState::ParseExpression(Term& out) {
  return ParseMembership(true, out);
}
Result<void> ParserState::ParseListElement(Term& out) {
  return ParseMembership(false, out);
}

Result<void> ParserState::ParseMembership(bool pairs, Term& out) {
  const Nested nested(*this);
  TRY(CheckLimits());
  TRY(ParseInfix(kAnyLevel, out));
  for (;;) {
    const Location start = out.location;
    std::vector<Term> operands;
    if (pairs && At(",")) {
      const std::size_t back = at_;
      Advance();
      Term middle;
      if (!ParseInfix(kAnyLevel, middle) || !AtKeyword("in")) {
        at_ = back;
        return {};
      }
      operands.push_back(std::move(out));
      operands.push_back(std::move(middle));
    } else if (AtKeyword("in")) {
      operands.push_back(std::move(out));
    } else {
      return {};
    }
    Advance();
    TRY(ParseInfix(kAnyLevel, operands.emplace_back()));
    const bool pair = operands.size() == 3;
    out = Term::Call(pair ? "internal.member_3" : "internal.member_2", std::move(operands), start);
  }
}

Result<void> ParserState::ParseInfix(int least, Term& out) {
  TRY(ParseTerm(out));
  for (std::size_t joined = 0; now().kind == TokenKind::kPunctuation; ++joined) {
    if (At(",") || At("}") || At("]") || At(")") || At(":")) break;
    const auto* found =
        std::find_if(kOperators.begin(), kOperators.end(),
                     [this](const Operator& o) { return PunctuationCode(o.sign) == now().code; });
    if (found == kOperators.end() || found->level < least) break;
    // A chain makes a tree as deep as it is long.
    if (joined > options_.depth) return Fail("longer chain of operators than the limit");
    Advance();
    const Location start = out.location;
    std::vector<Term> operands;
    operands.reserve(2);
    operands.push_back(std::move(out));
    TRY(ParseInfix(found->level + 1, operands.emplace_back()));
    out = Term::Call(std::string(found->name), std::move(operands), start);
  }
  return {};
}

Result<void> ParserState::ParseTerm(Term& out) {
  const Nested nested(*this);
  TRY(CheckLimits());
  const Token& token = now();
  out = Term(TermKind::kScalar, location());
  switch (token.kind) {
    case TokenKind::kString:
      out.value = Value::String(token.text);
      Advance();
      return {};
    case TokenKind::kNumber:
      return ParseNumber(false, out.value);
    case TokenKind::kTemplateBegin:
      return ParseTemplate(out);
    case TokenKind::kName: {
      const bool called = next().kind == TokenKind::kPunctuation && next().text == "(" &&
                          !next().space_before && token.text == "contains";
      if (AtAnyKeyword() && !called) {
        if (!IsWordOfJson(token.text)) return Fail("unexpected keyword");
        if (token.text != "null") out.value = Value::Bool(token.text == "true");
        Advance();
        return {};
      }
      out.kind = TermKind::kVar;
      out.name = token.text;
      Advance();
      return ParseReference(out);
    }
    case TokenKind::kPunctuation:
      break;
    default:
      return Fail("expected a term");
  }
  if (At("-") && next().kind == TokenKind::kNumber && !next().space_before) {
    Advance();
    return ParseNumber(true, out.value);
  }
  if (At("[")) {
    TRY(ParseArray(out));
    return ParseReference(out);
  }
  if (At("{")) {
    TRY(ParseBraces(out));
    return ParseReference(out);
  }
  if (Take("(")) {
    TRY(ParseExpression(out));
    return Expect(")");
  }
  return Fail("expected a term");
}

Result<void> ParserState::ParseNumber(bool negative, Value& out) {
  const Location start = location();
  auto value = negative ? Value::NumberFromText("-" + std::string(now().text))
                        : Value::NumberFromText(now().text);
  if (!value) return FailAt(start, "number out of range");
  Advance();
  out = *std::move(value);
  return {};
}

Result<void> ParserState::ParseReference(Term& head) {
  const Location start = head.location;
  for (;;) {
    if (now().kind != TokenKind::kPunctuation || now().space_before) return {};
    const auto as_ref = [&] {
      if (head.kind == TermKind::kRef) return;
      Term ref(TermKind::kRef, start);
      ref.parts.reserve(kUsualParts);
      ref.parts.push_back(std::move(head));
      head = std::move(ref);
    };
    if (At(".")) {
      Advance();
      if (now().kind != TokenKind::kName || now().space_before) return Fail("expected a name");
      as_ref();
      Term& part = head.parts.emplace_back(TermKind::kScalar, location());
      part.value = Value::String(now().text);
      Advance();
    } else if (At("[")) {
      Advance();
      as_ref();
      TRY(ParseListElement(head.parts.emplace_back()));
      TRY(Expect("]"));
    } else if (At("(") && (head.kind == TermKind::kVar || head.kind == TermKind::kRef)) {
      TRY(ParseCall(head));
    } else {
      return {};
    }
    TRY(CheckLimits());
  }
}

// At the ( after the function's name.
Result<void> ParserState::ParseCall(Term& head) {
  const Location start = head.location;
  Advance();
  Term call(TermKind::kCall, start);
  call.parts.reserve(kUsualParts);
  call.parts.push_back(std::move(head));
  TRY(ParseList(")", call.parts));
  if (call.parts.size() == 1 && call.parts[0].is_var("set")) {
    head = Term::Scalar(Value::Set({}), start);
  } else {
    head = std::move(call);
  }
  return {};
}

// The rest of a comma-separated list, after parts; takes end.
Result<void> ParserState::ParseList(std::string_view end, std::vector<Term>& parts) {
  while (!Take(end)) {
    TRY(ParseListElement(parts.emplace_back()));
    if (Take(end)) break;
    TRY(Expect(","));
  }
  return {};
}

}  // namespace kata_cc::policy
