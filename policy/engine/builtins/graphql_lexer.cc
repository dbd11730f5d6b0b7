// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/graphql_lexer.h"

#include <algorithm>
#include <vector>

#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Common indentation and blank first and last lines go, as the specification says.
std::string BlockValue(std::string_view raw) {
  std::vector<std::string> lines;
  while (true) {
    const std::size_t end = raw.find('\n');
    std::string line(raw.substr(0, end));
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(std::move(line));
    if (end == std::string_view::npos) break;
    raw.remove_prefix(end + 1);
  }
  std::size_t common = std::string::npos;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    common = std::min(common, lines[i].find_first_not_of(" \t"));
  }
  for (std::size_t i = 1; i < lines.size() && common != std::string::npos; ++i) {
    lines[i].erase(0, std::min(common, lines[i].size()));
  }
  const auto blank = [](const std::string& line) {
    return line.find_first_not_of(" \t") == std::string::npos;
  };
  while (!lines.empty() && blank(lines.front()))
    lines.erase(lines.begin());
  while (!lines.empty() && blank(lines.back()))
    lines.pop_back();
  std::string out;
  for (const std::string& line : lines)
    out += (&line == lines.data() ? "" : "\n") + line;
  return out;
}

}  // namespace

void GraphqlLexer::Advance(std::size_t bytes) {
  const std::size_t end = std::min(at_ + bytes, text_.size());
  while (at_ < end) {
    if (text_[at_] == '\n') {
      ++line_;
      column_ = 1;
      ++at_;
      continue;
    }
    at_ += RuneLength(text_.substr(at_));
    ++column_;
  }
}

void GraphqlLexer::SkipIgnored() {
  while (!ends()) {
    const char c = at(0);
    if (c == ' ' || c == '\t' || c == ',' || c == '\n' || c == '\r') {
      Advance(1);
    } else if (text_.substr(at_, 3) == "\xef\xbb\xbf") {
      Advance(3);
    } else if (c == '#') {
      Advance(std::min(text_.find('\n', at_), text_.size()) - at_);
    } else {
      return;
    }
  }
}

GraphqlToken GraphqlLexer::Next() {
  SkipIgnored();
  if (ends()) return Make("<EOF>");
  const char c = at(0);
  constexpr std::string_view kPunctuation = "!$&():=@[]{|}";
  constexpr std::string_view kKinds[] = {"!", "$", "&", "(", ")", ":", "=",
                                         "@", "[", "]", "{", "|", "}"};
  if (const std::size_t i = kPunctuation.find(c); i != std::string_view::npos) {
    GraphqlToken token = Make(kKinds[i]);
    Advance(1);
    return token;
  }
  if (text_.substr(at_, 3) == "...") {
    GraphqlToken token = Make("...");
    Advance(3);
    return token;
  }
  if (IsNameStart(c)) {
    GraphqlToken token = Make("Name");
    std::size_t length = 1;
    while (IsNameStart(at(length)) || IsDigit(at(length)))
      ++length;
    token.value = text_.substr(at_, length);
    Advance(length);
    return token;
  }
  if (c == '-' || IsDigit(c)) return Number();
  if (text_.substr(at_, 3) == "\"\"\"") return BlockString();
  if (c == '"') return String();
  return Make("<Invalid>");
}

bool GraphqlLexer::Digits() {
  if (!IsDigit(at(0))) return false;
  while (IsDigit(at(0)))
    Advance(1);
  return true;
}

GraphqlToken GraphqlLexer::Number() {
  GraphqlToken token = Make("Int");
  const std::size_t start = at_;
  if (at(0) == '-') Advance(1);
  if (at(0) == '0') {
    Advance(1);
    if (IsDigit(at(0))) return Make("<Invalid>");
  } else if (!Digits()) {
    return Make("<Invalid>");
  }
  if (at(0) == '.') {
    token.kind = "Float";
    Advance(1);
    if (!Digits()) return Make("<Invalid>");
  }
  if (at(0) == 'e' || at(0) == 'E') {
    token.kind = "Float";
    Advance(1);
    if (at(0) == '-' || at(0) == '+') Advance(1);
    if (!Digits()) return Make("<Invalid>");
  }
  token.value = text_.substr(start, at_ - start);
  return token;
}

// After the backslash.
bool GraphqlLexer::Escape(std::string& out) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  if (at(0) == 'u') {
    std::uint32_t rune = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      const char c = at(i);
      const char lower = static_cast<char>(c | 0x20);
      if (!IsDigit(c) && !(lower >= 'a' && lower <= 'f')) return false;
      rune = rune * 16 + static_cast<std::uint32_t>(IsDigit(c) ? c - '0' : lower - 'a' + 10);
    }
    AppendRune(rune, out);
    Advance(5);
    return true;
  }
  const std::size_t i = kNames.find(at(0));
  if (at(0) == '\0' || i == std::string_view::npos) return false;
  out += kMeanings[i];
  Advance(1);
  return true;
}

GraphqlToken GraphqlLexer::String() {
  Advance(1);
  GraphqlToken token = Make("String");  // Its position is after the quote.
  while (true) {
    const char c = at(0);
    if (ends() || c == '\n' || c == '\r') return Make("<Invalid>");
    if (static_cast<unsigned char>(c) < 0x20 && c != '\t') return Make("<Invalid>");
    if (c == '"') break;
    if (c == '\\') {
      Advance(1);
      if (!Escape(token.value)) return Make("<Invalid>");
      continue;
    }
    const std::size_t length = RuneLength(text_.substr(at_));
    token.value += text_.substr(at_, length);
    Advance(length);
  }
  Advance(1);
  return token;
}

GraphqlToken GraphqlLexer::BlockString() {
  GraphqlToken token = Make("BlockString");
  Advance(3);
  std::string raw;
  while (text_.substr(at_, 3) != "\"\"\"") {
    if (ends()) return Make("<Invalid>");
    if (text_.substr(at_, 4) == "\\\"\"\"") {
      raw += "\"\"\"";
      Advance(4);
      continue;
    }
    const std::size_t length = RuneLength(text_.substr(at_));
    raw += text_.substr(at_, length);
    Advance(length);
  }
  Advance(3);
  token.value = BlockValue(raw);
  return token;
}

}  // namespace kata_cc::policy
