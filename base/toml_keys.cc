// SPDX-License-Identifier: Apache-2.0
#include "base/toml_keys.h"

#include <algorithm>
#include <cstddef>

namespace kata_cc {
namespace {

constexpr int kMaxDots = 16;  // Times 256, the depth of inline tables that toml++ allows.

bool IsAscii(char c) {
  return (static_cast<unsigned char>(c) & 0x80) == 0;
}

// The character behind the backslash at `at`, and behind the spaces and line ends that a backslash
// joins in a string of several lines. toml++ asks whether it is a space, and for many that are not
// ASCII that question has no defined answer.
bool IsEscapeAscii(std::string_view text, std::size_t at, bool multiline) {
  ++at;
  while (multiline && at < text.size() &&
         std::string_view(" \t\r\n\v\f").find(text[at]) != std::string_view::npos)
    ++at;
  return at >= text.size() || IsAscii(text[at]);
}

// What follows the string that text begins with; an open one takes all.
Result<std::string_view> AfterString(std::string_view text) {
  const char quote = text[0];
  const std::string_view three = quote == '"' ? R"(""")" : "'''";
  const bool multiline = text.starts_with(three);
  const std::size_t size = multiline ? 3 : 1;
  for (std::size_t at = size; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\' && quote == '"') {
      if (!IsEscapeAscii(text, at, multiline))
        return Error(Code::kInvalidArgument, "toml: a backslash before what is not ASCII");
      ++at;
    } else if (c == '\n' && !multiline) {
      return text.substr(at);  // No TOML; the parser will say so.
    } else if (multiline ? text.substr(at, 3) == three : c == quote) {
      // Of more than three quotes the last end the string.
      while (multiline && at + 3 < text.size() && text[at + 3] == quote)
        ++at;
      return text.substr(at + size);
    }
  }
  return std::string_view();
}

bool BeginsKey(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '"' || c == '\'';
}

// What follows the brackets of a header begins a key, or ends the header or the text, which the
// parser refuses itself.
bool IsHeader(std::string_view text) {
  const auto skip = [&text] {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  };
  text.remove_prefix(1);
  skip();
  if (text.starts_with('[')) {
    text.remove_prefix(1);
    skip();
  }
  return text.empty() || text[0] == ']' || BeginsKey(text[0]);
}

}  // namespace

Result<void> CheckTomlKeys(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  int dots = 0;
  std::size_t depth = 0;  // Of arrays and inline tables.
  bool value = false;     // Behind a line's equals sign.
  char before = '\n';     // The last character that was no space.
  while (!text.empty()) {
    const char c = text[0];
    if (c == '"' || c == '\'') {
      // Elsewhere the parser takes the quote for a part of a number or the like.
      if (std::string_view(value ? "=[,{\n" : "[.\n").find(before) == std::string_view::npos)
        return Error(Code::kInvalidArgument, "toml: a string where none can be");
      text = TRY(AfterString(text));
      before = c;
      continue;
    }
    if (c == '#') {
      text.remove_prefix(std::min(text.find('\n'), text.size()));
      continue;
    }
    if (!IsAscii(c))
      return Error(Code::kInvalidArgument, "toml: not ASCII outside of strings and comments");
    // A key goes on over dots and spaces only.
    if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') dots = 0;
    if (c == '.' && ++dots > kMaxDots) {
      return Error(Code::kInvalidArgument, "toml: a key of too many parts");
    }
    if (c == '[' && depth == 0 && !value && !IsHeader(text)) {
      return Error(Code::kInvalidArgument, "toml: a table without a name");
    }
    // No table that is open in a line ends behind these, and in an array nothing does by a brace.
    if (c == '}' && std::string_view("[,\n").find(before) != std::string_view::npos)
      return Error(Code::kInvalidArgument, "toml: a brace where none can be");
    if (c == '=') value = true;
    if (c == '\n' && depth == 0) value = false;
    if (value && (c == '[' || c == '{')) ++depth;
    if (depth > 0 && (c == ']' || c == '}')) --depth;
    if (c != ' ' && c != '\t' && c != '\r') before = c;
    text.remove_prefix(1);
  }
  return {};
}

}  // namespace kata_cc
