// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/lexer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace kata_cc::policy {
namespace {

constexpr std::size_t kMaxTemplateDepth = 32;
constexpr std::string_view kMetadata = "METADATA";

constexpr bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// By the byte: what goes on a name, a string, a space within a line.
enum : std::uint8_t { kInName = 1, kInString = 2, kInSpace = 4 };
constexpr std::array<std::uint8_t, 256> kClasses = [] {
  std::array<std::uint8_t, 256> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<char>(i);
    if (IsNameStart(c) || IsDigit(c)) out[i] |= kInName;
    if (c != '"' && c != '\\' && c != '\n') out[i] |= kInString;
    if (c == ' ' || c == '\t' || c == '\r') out[i] |= kInSpace;
  }
  return out;
}();

bool IsKeywordText(std::string_view text) {
  constexpr std::size_t kLongest = 8;
  if (text.size() > kLongest || text.size() < 2) return false;
  constexpr std::array<std::string_view, 15> kKeywords = {
      "package", "import", "as",    "default", "else",  "not", "some",    "with",
      "null",    "true",   "false", "in",      "every", "if",  "contains"};
  return std::any_of(kKeywords.begin(), kKeywords.end(), [text](std::string_view keyword) {
    return keyword[0] == text[0] && keyword == text;
  });
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<Tokens> Run() {
    constexpr std::size_t kUsualToken = 5;  // Bytes of text.
    out_.list.reserve(text_.size() / kUsualToken + 16);
    TRY(LexUntil(false));
    FinishMetadata();
    Add(TokenKind::kEnd, {});
    return std::move(out_);
  }

 private:
  // At the token's beginning.
  Error Fail(std::string_view what) const {
    return {Code::kInvalidArgument, std::to_string(token_line_) + ":" +
                                        std::to_string(token_column_) + ": " + std::string(what)};
  }

  char Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  std::size_t EndOf(std::uint8_t in, std::size_t at) const {
    while (at < text_.size() && (kClasses[static_cast<unsigned char>(text_[at])] & in) != 0)
      ++at;
    return at;
  }

  void Mark() {
    token_line_ = line_;
    token_column_ = static_cast<std::uint32_t>(at_ - line_start_ + 1);
  }

  void Add(TokenKind kind, std::string_view text) {
    std::uint16_t code = 0;
    if (kind == TokenKind::kPunctuation) code = PunctuationCode(text);
    if (kind == TokenKind::kName && IsKeywordText(text)) code = 1;
    MarkConstant(kind, code, text);
    out_.list.push_back({kind, space_, false, token_line_, token_column_, code, text});
    space_ = false;
  }

  // Before the token is added.
  void MarkConstant(TokenKind kind, std::uint16_t code, std::string_view text) {
    const std::size_t index = out_.list.size();
    bool constant = kind == TokenKind::kString || kind == TokenKind::kNumber;
    if (kind == TokenKind::kName) constant = code != 0 && IsWordOfJson(text);
    if (kind == TokenKind::kPunctuation) {
      switch (code) {
        case '[':
        case '{':
          open_.push_back(index);
          return;
        case ']':
        case '}':
          if (open_.empty()) return;
          out_.list[open_.back()].constant = other_end_ <= open_.back();
          open_.pop_back();
          return;
        case '-': {
          // Not that of a difference.
          const Token& before = out_.list.empty() ? Token() : out_.list.back();
          constant =
              before.code == ',' || before.code == ':' || before.code == '[' || before.code == '{';
          break;
        }
        default:
          constant = code == ',' || code == ':';
      }
    }
    if (!constant) other_end_ = index + 1;
  }

  void AddOwned(TokenKind kind, std::string text) {
    out_.owned.push_back(std::make_unique<std::string>(std::move(text)));
    Add(kind, *out_.owned.back());
  }

  void NewLine() {
    ++line_;
    line_start_ = at_;
  }

  void FinishMetadata() {
    if (!in_metadata_) return;
    in_metadata_ = false;
    out_.metadata.back().last_line = comment_line_;
  }

  // At '#'.
  void Comment() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string_view comment = text_.substr(at_ + 1, end - at_ - 1);
    if (!comment.empty() && comment.back() == '\r') comment.remove_suffix(1);
    const bool own_line = out_.list.empty() || out_.list.back().line != line_;
    if (in_metadata_ && line_ != comment_line_ + 1) FinishMetadata();
    std::string_view trimmed = comment;
    while (!trimmed.empty() && (trimmed.front() == ' ' || trimmed.front() == '\t'))
      trimmed.remove_prefix(1);
    while (!trimmed.empty() && (trimmed.back() == ' ' || trimmed.back() == '\t'))
      trimmed.remove_suffix(1);
    if (in_metadata_) {
      // The block's indentation is the text's; the first space belongs to the comment sign.
      out_.metadata.back().yaml += comment;
      out_.metadata.back().yaml += '\n';
      comment_line_ = line_;
    } else if (own_line && trimmed == kMetadata) {
      in_metadata_ = true;
      comment_line_ = line_;
      out_.metadata.push_back({line_, line_, {}});
    }
    at_ = end;
  }

  // Tokens up to the end, or up to the } that closes an expression of a template.
  Result<void> LexUntil(bool in_template) {
    std::size_t braces = 0;
    for (;;) {
      const char c = Peek();
      if (at_ >= text_.size()) {
        if (in_template) return Fail("unterminated template expression");
        Mark();
        return {};
      }
      if (c == ' ' || c == '\t' || c == '\r') {
        at_ = EndOf(kInSpace, at_ + 1);
        space_ = true;
        continue;
      }
      if (c == '\n') {
        ++at_;
        space_ = true;
        NewLine();
        continue;
      }
      if (c == '#') {
        Comment();
        space_ = true;
        continue;
      }
      FinishMetadata();
      Mark();
      if (IsNameStart(c)) {
        const std::size_t start = at_;
        at_ = EndOf(kInName, at_);
        Add(TokenKind::kName, text_.substr(start, at_ - start));
        continue;
      }
      if (IsDigit(c)) {
        TRY(Number());
        continue;
      }
      if (c == '"') {
        // Most have no escapes, and are lent from the text.
        const std::size_t end = EndOf(kInString, at_ + 1);
        if (end < text_.size() && text_[end] == '"') {
          Add(TokenKind::kString, text_.substr(at_ + 1, end - at_ - 1));
          at_ = end + 1;
          continue;
        }
        std::string value = TRY(QuotedString());
        AddOwned(TokenKind::kString, std::move(value));
        continue;
      }
      if (c == '`') {
        std::string value = TRY(RawString());
        AddOwned(TokenKind::kString, std::move(value));
        continue;
      }
      if (c == '$' && (Peek(1) == '"' || Peek(1) == '`')) {
        TRY(Template());
        continue;
      }
      if (in_template && c == '{') ++braces;
      if (in_template && c == '}') {
        if (braces == 0) return {};
        --braces;
      }
      TRY(Punctuation());
    }
  }

  Result<void> Punctuation() {
    const char c = Peek();
    if (Peek(1) == '=' && (c == ':' || c == '=' || c == '!' || c == '<' || c == '>')) {
      Add(TokenKind::kPunctuation, text_.substr(at_, 2));
      at_ += 2;
      return {};
    }
    constexpr std::string_view kSingles = "()[]{},;:.=<>+-*/%&|";
    if (kSingles.find(c) == std::string_view::npos) return Fail("illegal character");
    Add(TokenKind::kPunctuation, text_.substr(at_, 1));
    ++at_;
    return {};
  }

  Result<void> Number() {
    const std::size_t start = at_;
    while (IsDigit(Peek()))
      ++at_;
    if (Peek() == '.' && IsDigit(Peek(1))) {
      ++at_;
      while (IsDigit(Peek()))
        ++at_;
    }
    if (Peek() == 'e' || Peek() == 'E') {
      const std::size_t sign = Peek(1) == '+' || Peek(1) == '-' ? 1 : 0;
      if (!IsDigit(Peek(1 + sign))) return Fail("number without exponent");
      at_ += 1 + sign;
      while (IsDigit(Peek()))
        ++at_;
    }
    if (IsNameStart(Peek())) return Fail("illegal number");
    Add(TokenKind::kNumber, text_.substr(start, at_ - start));
    return {};
  }

  Result<std::string> RawString() {
    const std::size_t end = text_.find('`', at_ + 1);
    if (end == std::string_view::npos) return Fail("unterminated raw string");
    std::string out;
    for (++at_; at_ < end;) {
      const char c = text_[at_++];
      if (c == '\n') NewLine();
      out.push_back(c);
    }
    ++at_;
    return out;
  }

  Result<std::string> QuotedString() {
    ++at_;
    std::string out;
    for (;;) {
      if (at_ >= text_.size() || Peek() == '\n') return Fail("unterminated string");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        TRY(Escape(false, out));
      } else {
        out.push_back(c);
        ++at_;
      }
    }
  }

  std::optional<std::uint32_t> Hex4(std::size_t offset) const {
    if (at_ + offset + 4 > text_.size()) return std::nullopt;
    std::uint32_t rune = 0;
    const char* start = text_.data() + at_ + offset;
    const auto [end, error] = std::from_chars(start, start + 4, rune, 16);
    if (error != std::errc() || end != start + 4) return std::nullopt;
    return rune;
  }

  // At the backslash.
  Result<void> Escape(bool in_template, std::string& out) {
    constexpr std::string_view kEscapes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const char c = Peek(1);
    if (in_template && (c == '{' || c == '}')) {
      out.push_back(c);
      at_ += 2;
      return {};
    }
    if (c == 'u') {
      // A JSON string of one escape or a pair: its parser knows surrogates.
      std::size_t length = 6;
      const auto rune = Hex4(2);
      if (!rune) return Fail("bad \\u escape");
      if (*rune >= 0xd800 && *rune < 0xdc00 && Peek(6) == '\\' && Peek(7) == 'u' && Hex4(8)) {
        length = 12;
      }
      const auto parsed = ParseJson("\"" + std::string(text_.substr(at_, length)) + "\"");
      if (!parsed) return Fail("bad \\u escape");
      out.append(parsed->string());
      at_ += length;
      return {};
    }
    const auto i = kEscapes.find(c);
    if (c == '\0' || i == std::string_view::npos) return Fail("illegal escape sequence");
    out.push_back(kMeanings[i]);
    at_ += 2;
    return {};
  }

  // At the $ of a template.
  Result<void> Template() {
    if (++template_depth_ > kMaxTemplateDepth) return Fail("templates nested too deep");
    const char quote = Peek(1);
    const bool raw = quote == '`';
    Add(TokenKind::kTemplateBegin, text_.substr(at_, 2));
    at_ += 2;
    std::string text;
    Mark();
    for (;;) {
      if (at_ >= text_.size() || (!raw && Peek() == '\n')) return Fail("unterminated template");
      const char c = text_[at_];
      if (c == quote) {
        AddOwned(TokenKind::kTemplateText, std::move(text));
        ++at_;
        Mark();
        Add(TokenKind::kTemplateEnd, {});
        --template_depth_;
        return {};
      }
      if (c == '{') {
        AddOwned(TokenKind::kTemplateText, std::exchange(text, {}));
        Mark();
        ++at_;
        Add(TokenKind::kTemplateExpr, {});
        TRY(LexUntil(true));
        Mark();
        ++at_;
        Add(TokenKind::kTemplateExprEnd, {});
        Mark();
      } else if (c == '\\' && (!raw || Peek(1) == '{' || Peek(1) == '}')) {
        TRY(Escape(true, text));
      } else {
        ++at_;
        if (c == '\n') NewLine();
        text.push_back(c);
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_start_ = 0;
  std::uint32_t token_line_ = 1;
  std::uint32_t token_column_ = 1;
  bool space_ = false;
  bool in_metadata_ = false;
  std::uint32_t comment_line_ = 0;
  std::size_t template_depth_ = 0;
  std::vector<std::size_t> open_;  // Brackets and braces not closed yet.
  std::size_t other_end_ = 0;      // After the last token that is not JSON's.
  Tokens out_;
};

}  // namespace

Result<Tokens> Lex(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return Lexer(text).Run();
}

}  // namespace kata_cc::policy
