// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/go_template_lexer.h"

#include <cctype>

#include "policy/engine/builtins/go_template_ast.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy::go_template {
namespace {

bool IsWordStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool IsWord(char c) {
  return IsWordStart(c) || std::isdigit(static_cast<unsigned char>(c)) != 0;
}

class ActionLexer {
 public:
  explicit ActionLexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    while (!text_.empty()) {
      const char c = text_[0];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        text_.remove_prefix(1);
        if (!tokens.empty() && tokens.back().kind != Token::Kind::kSpace) {
          tokens.push_back({Token::Kind::kSpace, " ", {}});
        }
        continue;
      }
      tokens.push_back(TRY(One()));
    }
    if (!tokens.empty() && tokens.back().kind == Token::Kind::kSpace) tokens.pop_back();
    return tokens;
  }

 private:
  std::string TakeWord() {
    std::size_t length = 0;
    while (length < text_.size() && IsWord(text_[length]))
      ++length;
    std::string word(text_.substr(0, length));
    text_.remove_prefix(length);
    return word;
  }

  Result<Token> One() {
    const char c = text_[0];
    const char next = text_.size() > 1 ? text_[1] : '\0';
    if (c == '.' && !(next >= '0' && next <= '9')) {
      text_.remove_prefix(1);
      return Token{Token::Kind::kField, TakeWord(), {}};
    }
    if (c == '$') {
      text_.remove_prefix(1);
      return Token{Token::Kind::kVariable, "$" + TakeWord(), {}};
    }
    if (c == '"' || c == '\'' || c == '`') return Quoted(c);
    const bool number = (c >= '0' && c <= '9') || c == '.' ||
                        ((c == '-' || c == '+') && next >= '0' && next <= '9');
    if (number) return Number();
    if (IsWordStart(c)) return Word();
    for (std::string_view symbol : {":=", "=", "|", "(", ")", ","}) {
      if (text_.substr(0, symbol.size()) != symbol) continue;
      text_.remove_prefix(symbol.size());
      return Token{Token::Kind::kSymbol, std::string(symbol), {}};
    }
    return TemplateError("bad character " + GoQuote(text_.substr(0, 1)));
  }

  Result<Token> Word() {
    std::string word = TakeWord();
    if (word == "true" || word == "false") {
      return Token{Token::Kind::kLiteral, word, Value::Bool(word == "true")};
    }
    return Token{Token::Kind::kWord, std::move(word), {}};
  }

  Result<Token> Quoted(char quote) {
    std::string out;
    std::size_t at = 1;
    while (at < text_.size() && text_[at] != quote) {
      if (quote != '`' && text_[at] == '\\' && at + 1 < text_.size()) {
        constexpr std::string_view kNames = "abfnrtv\\\"'";
        constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"'";
        const std::size_t i = kNames.find(text_[at + 1]);
        if (i == std::string_view::npos) return TemplateError("bad escape in a string");
        out += kMeanings[i];
        at += 2;
        continue;
      }
      out += text_[at++];
    }
    if (at >= text_.size()) return TemplateError("unterminated quoted string");
    text_.remove_prefix(at + 1);
    if (quote != '\'') return Token{Token::Kind::kLiteral, out, Value::String(out)};
    if (CountRunes(out) != 1) return TemplateError("malformed character constant");
    return Token{Token::Kind::kLiteral, out, Value::Int(RuneOf(out))};
  }

  Result<Token> Number() {
    std::size_t length = 1;
    while (length < text_.size() && (IsWord(text_[length]) || text_[length] == '.' ||
                                     ((text_[length] == '-' || text_[length] == '+') &&
                                      (text_[length - 1] == 'e' || text_[length - 1] == 'E')))) {
      ++length;
    }
    std::string digits(text_.substr(0, length));
    text_.remove_prefix(length);
    const Error bad = TemplateError("bad number syntax: " + GoQuote(digits));
    std::string clean;
    for (char c : digits) {
      if (c != '_' && c != '+') clean += c;
    }
    if (clean.size() > 2 && clean[0] == '0' && (clean[1] == 'x' || clean[1] == 'X')) {
      const auto hex = BigInt::Parse(std::string_view(clean).substr(2), 16);
      if (!hex) return bad;
      return Token{Token::Kind::kLiteral, digits, Value::Number(*hex)};
    }
    if (clean[0] == '.') clean.insert(0, "0");
    auto value = Value::NumberFromText(clean);
    if (!value) return bad;
    // 1e3 is the integer 1000, as in Go.
    if (value->is_integer() && clean.find('.') == std::string::npos) {
      if (const auto integer = value->ToDecimal().ToBigInt()) value = Value::Number(*integer);
    }
    return Token{Token::Kind::kLiteral, digits, *std::move(value)};
  }

  std::string_view text_;
};

}  // namespace

Result<std::vector<Token>> LexAction(std::string_view text) {
  return ActionLexer(text).Run();
}

}  // namespace kata_cc::policy::go_template
