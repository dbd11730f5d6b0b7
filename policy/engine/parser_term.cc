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
constexpr int kAboveOr = 3;

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
  return Fail("expected " + std::string(punctuation));
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
    if (now().kind == TokenKind::kEnd) return Fail("expected " + std::string(end));
    if (!semicolon && at_ > 0 && now().line == tokens_.list[at_ - 1].line) {
      return Fail("expected a new line, ; or " + std::string(end));
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
    Term left = TRY(ParseExpression());
    if (At(":=") || At("=")) {
      expr.kind = At(":=") ? ExprKind::kAssign : ExprKind::kUnify;
      Advance();
      Term right = TRY(ParseExpression());
      expr.terms.push_back(std::move(left));
      expr.terms.push_back(std::move(right));
    } else {
      expr.terms.push_back(std::move(left));
    }
    expr.negated = negated;
  }
  expr.location = start;
  while (TakeKeyword("with")) {
    With with;
    with.target = TRY(ParseTerm());
    if (with.target.kind != TermKind::kVar && with.target.kind != TermKind::kRef) {
      return FailAt(with.target.location, "with: the target must be input, data or a function");
    }
    if (!TakeKeyword("as")) return Fail("expected as");
    with.value = TRY(ParseExpression());
    expr.withs.push_back(std::move(with));
  }
  return expr;
}

Result<Expr> ParserState::ParseSome() {
  Advance();
  Expr expr;
  expr.kind = ExprKind::kSome;
  for (;;) {
    expr.terms.push_back(TRY(ParseInfix(kAnyLevel)));
    if (!Take(",")) break;
  }
  if (TakeKeyword("in")) {
    if (expr.terms.size() > 2) return Fail("some ... in takes one or two terms");
    expr.kind = ExprKind::kSomeIn;
    expr.terms.push_back(TRY(ParseInfix(kAnyLevel)));
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
    Term term = TRY(ParseTerm());
    if (term.kind != TermKind::kVar) return FailAt(term.location, "every: expected a variable");
    expr.terms.push_back(std::move(term));
    if (!Take(",")) break;
    if (expr.terms.size() > 2) return Fail("every takes one or two variables");
  }
  if (expr.terms.size() == 3) expr.terms.erase(expr.terms.begin());
  if (!TakeKeyword("in")) return Fail("expected in");
  expr.terms.push_back(TRY(ParseExpression()));
  TRY(Expect("{"));
  expr.body = std::make_unique<Body>(TRY(ParseBody("}")));
  return expr;
}

Result<Term> ParserState::ParseExpression() {
  return ParseMembership(true);
}
Result<Term> ParserState::ParseListElement() {
  return ParseMembership(false);
}

Result<Term> ParserState::ParseMembership(bool pairs) {
  const Nested nested(*this);
  TRY(CheckLimits());
  Term left = TRY(ParseInfix(kAnyLevel));
  for (;;) {
    const Location start = left.location;
    std::vector<Term> operands;
    if (pairs && At(",")) {
      const std::size_t back = at_;
      Advance();
      auto middle = ParseInfix(kAnyLevel);
      if (!middle || !AtKeyword("in")) {
        at_ = back;
        return left;
      }
      operands.push_back(std::move(left));
      operands.push_back(*std::move(middle));
    } else if (AtKeyword("in")) {
      operands.push_back(std::move(left));
    } else {
      return left;
    }
    Advance();
    operands.push_back(TRY(ParseInfix(kAnyLevel)));
    const bool two = operands.size() == 2;
    left = Term::Call(two ? "internal.member_2" : "internal.member_3", std::move(operands), start);
  }
}

Result<Term> ParserState::ParseInfix(int least) {
  Term left = TRY(ParseTerm());
  for (std::size_t joined = 0; now().kind == TokenKind::kPunctuation; ++joined) {
    if (At(",") || At("}") || At("]") || At(")") || At(":")) break;
    const auto* found =
        std::find_if(kOperators.begin(), kOperators.end(),
                     [this](const Operator& o) { return PunctuationCode(o.sign) == now().code; });
    if (found == kOperators.end() || found->level < least) break;
    // A chain makes a tree as deep as it is long.
    if (joined > options_.depth) return Fail("longer chain of operators than the limit");
    Advance();
    Term right = TRY(ParseInfix(found->level + 1));
    const Location start = left.location;
    std::vector<Term> operands;
    operands.push_back(std::move(left));
    operands.push_back(std::move(right));
    left = Term::Call(std::string(found->name), std::move(operands), start);
  }
  return left;
}

Result<Term> ParserState::ParseTerm() {
  const Nested nested(*this);
  TRY(CheckLimits());
  const Location start = location();
  const Token token = now();
  switch (token.kind) {
    case TokenKind::kString:
      Advance();
      return Term::Scalar(Value::String(token.text), start);
    case TokenKind::kNumber: {
      Advance();
      auto value = Value::NumberFromText(token.text);
      if (!value) return FailAt(start, "number out of range");
      return Term::Scalar(*std::move(value), start);
    }
    case TokenKind::kTemplateBegin:
      return ParseTemplate();
    case TokenKind::kName: {
      const bool called = next().kind == TokenKind::kPunctuation && next().text == "(" &&
                          !next().space_before && token.text == "contains";
      if (AtAnyKeyword() && !called) {
        const bool is_null = token.text == "null";
        if (!is_null && token.text != "true" && token.text != "false") {
          return Fail("unexpected keyword");
        }
        Advance();
        return Term::Scalar(is_null ? Value() : Value::Bool(token.text == "true"), start);
      }
      Advance();
      return ParseReference(Term::Var(std::string(token.text), start));
    }
    case TokenKind::kPunctuation:
      break;
    default:
      return Fail("expected a term");
  }
  if (token.text == "-" && next().kind == TokenKind::kNumber && !next().space_before) {
    Advance();
    auto value = Value::NumberFromText("-" + std::string(now().text));
    Advance();
    if (!value) return FailAt(start, "number out of range");
    return Term::Scalar(*std::move(value), start);
  }
  if (token.text == "[") return ParseReference(TRY(ParseArray()));
  if (token.text == "{") return ParseReference(TRY(ParseBraces()));
  if (token.text == "(") {
    Advance();
    Term inner = TRY(ParseExpression());
    TRY(Expect(")"));
    return inner;
  }
  return Fail("expected a term");
}

Result<Term> ParserState::ParseReference(Term head) {
  const Location start = head.location;
  for (;;) {
    if (now().space_before) return head;
    const auto as_ref = [&] {
      if (head.kind == TermKind::kRef) return;
      Term ref(TermKind::kRef, start);
      ref.parts.push_back(std::move(head));
      head = std::move(ref);
    };
    if (At(".")) {
      Advance();
      if (now().kind != TokenKind::kName || now().space_before) return Fail("expected a name");
      as_ref();
      head.parts.push_back(Term::Scalar(Value::String(now().text), location()));
      Advance();
    } else if (At("[")) {
      Advance();
      as_ref();
      head.parts.push_back(TRY(ParseListElement()));
      TRY(Expect("]"));
    } else if (At("(") && (head.kind == TermKind::kVar || head.kind == TermKind::kRef)) {
      Advance();
      std::vector<Term> operands = TRY(ParseList(")", {}));
      if (head.is_var("set") && operands.empty()) {
        head = Term::Scalar(Value::Set({}), start);
        continue;
      }
      Term call(TermKind::kCall, start);
      call.parts.push_back(std::move(head));
      for (Term& operand : operands)
        call.parts.push_back(std::move(operand));
      head = std::move(call);
    } else {
      return head;
    }
    TRY(CheckLimits());
  }
}

// The rest of a comma-separated list, after parts; takes end.
Result<std::vector<Term>> ParserState::ParseList(std::string_view end, std::vector<Term> parts) {
  while (!Take(end)) {
    parts.push_back(TRY(ParseListElement()));
    if (Take(end)) break;
    TRY(Expect(","));
  }
  return parts;
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

Result<Term> ParserState::ParseArray() {
  const Location start = location();
  Advance();
  Term array(TermKind::kArray, start);
  if (Take("]")) return Folded(std::move(array));
  // [a | b] is a comprehension if its tail can be a body, else the union of two sets.
  const std::size_t back = at_;
  auto head = ParseInfix(kAboveOr);
  if (head && At("|")) {
    std::vector<Term> heads;
    heads.push_back(*std::move(head));
    auto comprehension = ParseComprehension(TermKind::kArrayOf, std::move(heads), "]", start);
    if (comprehension) return comprehension;
    at_ = back;
    auto parts = ParseList("]", {});
    if (!parts) return comprehension;  // Its error is the likelier one.
    array.parts = *std::move(parts);
    return Folded(std::move(array));
  }
  if (!head) return head;
  if (!At(",") && !At("]")) at_ = back;  // An operator of lower rank, or `in`.
  std::vector<Term> parts;
  if (at_ != back) {
    parts.push_back(*std::move(head));
    if (!At("]")) TRY(Expect(","));
  }
  array.parts = TRY(ParseList("]", std::move(parts)));
  return Folded(std::move(array));
}

Result<Term> ParserState::FinishObject(std::vector<Term> parts, Location start) {
  Term object(TermKind::kObject, start);
  object.parts = std::move(parts);
  while (!Take("}")) {
    TRY(Expect(","));
    if (Take("}")) break;
    object.parts.push_back(TRY(ParseListElement()));
    TRY(Expect(":"));
    object.parts.push_back(TRY(ParseListElement()));
  }
  return Folded(std::move(object));
}

Result<Term> ParserState::ParseBraces() {
  const Location start = location();
  Advance();
  if (Take("}")) return Term::Scalar(Value::Object({}), start);
  const std::size_t back = at_;
  std::vector<Term> parts;
  parts.push_back(TRY(ParseInfix(kAboveOr)));
  if (At("|")) {
    auto comprehension = ParseComprehension(TermKind::kSetOf, std::move(parts), "}", start);
    if (comprehension) return comprehension;
    at_ = back;
    auto first = ParseListElement();
    if (!first || (!At(",") && !At("}") && !At(":"))) return comprehension;
    parts.clear();
    parts.push_back(*std::move(first));
  } else if (!At(",") && !At("}") && !At(":")) {
    at_ = back;
    parts.clear();
    parts.push_back(TRY(ParseListElement()));
  }
  if (Take(":")) {
    const std::size_t value_at = at_;
    parts.push_back(TRY(ParseInfix(kAboveOr)));
    if (At("|")) {
      std::vector<Term> heads;
      heads.push_back(parts[0].Clone());
      heads.push_back(std::move(parts[1]));
      auto comprehension = ParseComprehension(TermKind::kObjectOf, std::move(heads), "}", start);
      if (comprehension) return comprehension;
      at_ = value_at;
      auto value = ParseListElement();
      if (!value || (!At(",") && !At("}"))) return comprehension;
      parts[1] = *std::move(value);
    } else if (!At(",") && !At("}")) {
      at_ = value_at;
      parts[1] = TRY(ParseListElement());
    }
    return FinishObject(std::move(parts), start);
  }
  Term set(TermKind::kSet, start);
  if (!At("}")) TRY(Expect(","));
  set.parts = TRY(ParseList("}", std::move(parts)));
  return Folded(std::move(set));
}

Result<Term> ParserState::ParseTemplate() {
  Term out(TermKind::kTemplate, location());
  Advance();
  for (;;) {
    const Token token = now();
    const Location start = location();
    Advance();
    switch (token.kind) {
      case TokenKind::kTemplateEnd:
        return out;
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
