// SPDX-License-Identifier: Apache-2.0
// The parser's inside: tokens, terms and literals (parser_term.cc), arrays and braces
// (parser_composite.cc), rules and modules (parser.cc).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/engine/lexer.h"
#include "policy/engine/parser.h"

namespace kata_cc::policy {

class ParserState {
 public:
  ParserState(std::string_view name, Tokens tokens, const ParseOptions& options)
      : name_(name), tokens_(std::move(tokens)), options_(options) {
    budget_ = 16 * tokens_.list.size() + 1'000;
    if (options.v1) keywords_ = kAllKeywords;
  }

  Result<Body> ParseBody(
      std::string_view end);  // Up to and with end ("}", "]" ...); "" is the end.
  Result<Expr> ParseLiteral();
  // What out held is dropped; after an error it holds anything.
  Result<void> ParseExpression(Term& out);   // With `in`, also `k, v in xs`.
  Result<void> ParseListElement(Term& out);  // As ParseExpression, but a comma ends it.
  Result<void> ParseTerm(Term& out);
  Result<void> ParseReference(Term& head);  // .name and [term] and (operands), without spaces.

 protected:
  enum : unsigned { kIn = 1, kEvery = 2, kContains = 4, kIf = 8, kAllKeywords = 15 };

  Error Fail(std::string_view what) const;
  Error FailAt(const Location& location, std::string_view what) const;
  const Token& now() const { return tokens_.list[at_]; }
  const Token& next() const { return tokens_.list[std::min(at_ + 1, tokens_.list.size() - 1)]; }
  void Advance() {
    if (at_ + 1 < tokens_.list.size()) ++at_;
    if (budget_ > 0) --budget_;
  }
  bool At(std::string_view punctuation) const {
    return now().kind == TokenKind::kPunctuation && now().code == PunctuationCode(punctuation);
  }
  bool Take(std::string_view punctuation) {
    if (!At(punctuation)) return false;
    Advance();
    return true;
  }
  Result<void> Expect(std::string_view punctuation);
  bool IsKeyword(std::string_view name) const;
  bool AtKeyword(std::string_view word) const;
  bool TakeKeyword(std::string_view word) {
    if (!AtKeyword(word)) return false;
    Advance();
    return true;
  }
  bool AtAnyKeyword() const;
  Location location() const { return {options_.module_index, now().line, now().column}; }

  struct Nested {
    explicit Nested(ParserState& state) : state_(state) { ++state_.depth_; }
    ~Nested() { --state_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    ParserState& state_;
  };
  Result<void> CheckLimits();

  Result<void> ParseInfix(int least, Term& out);
  Result<void> ParseMembership(bool pairs, Term& out);
  Result<void> ParseCall(Term& head);
  Result<void> ParseNumber(bool negative, Value& out);
  Result<void> ParseList(std::string_view end, std::vector<Term>& parts);

  // parser_composite.cc
  Result<void> ParseArray(Term& out);
  Result<void> ParseBraces(Term& out);
  Result<void> ParseTemplate(Term& out);
  Result<Term> ParseComprehension(TermKind kind, std::vector<Term> head, std::string_view end,
                                  Location location);
  Result<void> FinishObject(std::vector<Term> parts, Location start, Term& out);
  bool AtMemberEnd(bool key) const;
  bool TakeConstant(Term& out);
  Result<Value> ParseConstant();
  Result<Value> ParseConstantObject(Value first_key);
  Result<std::vector<Value>> ParseConstants(std::string_view end);

  Result<Expr> ParseSome();
  Result<Expr> ParseEvery();

  std::string name_;
  Tokens tokens_;
  ParseOptions options_;
  unsigned keywords_ = 0;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t budget_ = 0;
  std::size_t failed_constants_ = 0;
  bool too_deep_ = false;  // No other reading of the text is tried.
};

}  // namespace kata_cc::policy
