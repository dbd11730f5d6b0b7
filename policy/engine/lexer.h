// SPDX-License-Identifier: Apache-2.0
// Lexer: Rego text as tokens. Linear in the text; takes any bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/engine/ast.h"

namespace kata_cc::policy {

enum class TokenKind : std::uint8_t {
  kEnd,
  kName,           // text
  kNumber,         // text
  kString,         // text, escapes resolved
  kTemplateBegin,  // $" or $`
  kTemplateText,   // text; between the expressions of a template
  kTemplateExpr,   // { of an expression in a template
  kTemplateExprEnd,
  kTemplateEnd,
  kPunctuation,  // text: one of ( ) [ ] { } , ; : . := = == != < <= > >= + - * / % & |
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  bool space_before = false;
  bool constant = false;  // Of [ and {: up to its end there are only JSON's tokens.
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint16_t code = 0;  // Of punctuation: its characters; of a name: not 0 if a keyword.
  std::string_view text;   // Of the source, or of Tokens::owned.
};

// What Token::code is for punctuation.
constexpr std::uint16_t PunctuationCode(std::string_view text) {
  return static_cast<std::uint16_t>(text[0] | (text.size() > 1 ? text[1] << 8 : 0));
}

inline bool IsWordOfJson(std::string_view name) {
  return name == "true" || name == "false" || name == "null";
}

struct Tokens {
  std::vector<Token> list;                          // Ends with kEnd.
  std::vector<std::unique_ptr<std::string>> owned;  // Unescaped strings.
  std::vector<MetadataBlock> metadata;
};

// InvalidArgument: "line:column: what". The tokens point into text.
Result<Tokens> Lex(std::string_view text);

}  // namespace kata_cc::policy
