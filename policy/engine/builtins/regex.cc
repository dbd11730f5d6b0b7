// SPDX-License-Identifier: Apache-2.0
// Regular expressions: regex.*, and re_match of old policies.
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/glob_intersection.h"
#include "policy/engine/builtins/go_regex.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

constexpr std::uint64_t kLookaheadPerStep = 512;

// "(?<n>" as "(?P<n>", which this RE2 knows; nothing when the pattern has none.
std::optional<std::string> WithOldGroupNames(std::string_view pattern) {
  if (pattern.find("(?<") == std::string_view::npos) return std::nullopt;
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    out += c;
    if (c == '\\' && i + 1 < pattern.size()) {
      out += pattern[++i];
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
    } else if (pattern.compare(i, 3, "(?<") == 0) {
      out += "?P";
      ++i;
    }
  }
  return out;
}

bool HasAnyByteEscape(std::string_view pattern) {
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] == '\\' && pattern[++i] == 'C') return true;
  }
  return false;
}

// RE2's text of an error in Go's words.
std::string GoErrorText(std::string_view error) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"missing )", "missing closing )"},
      {"unexpected )", "unexpected )"},
      {"missing ]", "missing closing ]"},
      {"invalid character class range", "invalid character class range"},
      {"no argument for repetition operator", "missing argument to repetition operator"},
      {"invalid repetition size", "invalid repeat count"},
      {"bad repetition operator", "invalid nested repetition operator"},
      {"invalid perl operator", "invalid or unsupported Perl syntax"},
      {"invalid named capture group", "invalid named capture"},
      {"trailing \\ at end of regexp", "trailing backslash at end of expression"},
      {"trailing \\", "trailing backslash at end of expression"},
      {"invalid escape sequence", "invalid escape sequence"},
      {"invalid UTF-8", "invalid UTF-8"}};
  std::string out = "error parsing regexp: ";
  for (const auto& [ours, theirs] : kWords) {
    if (error.substr(0, ours.size()) != ours) continue;
    error.remove_prefix(ours.size());
    if (error.substr(0, 2) == ": ") error.remove_prefix(2);
    return out.append(theirs).append(": `").append(error).append("`");
  }
  return out.append(error);
}

re2::StringPiece Piece(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view View(re2::StringPiece piece) {
  return {piece.data(), piece.size()};
}

struct Pattern {
  const RE2* regex;
  std::string_view text;
};

// The pattern is operand `pattern`, the text operand `text`.
Result<Pattern> Prepare(BuiltinContext& context, Operands x, std::size_t pattern,
                        std::size_t text) {
  const std::string_view pattern_text = TRY(StringOperand(x, pattern));
  const std::string_view subject = TRY(StringOperand(x, text));
  TRY(context.Charge(subject.size() / 4));
  const RE2* regex = TRY(GoRegex(context, pattern_text));
  return Pattern{regex, subject};
}

// Calls `found` with the groups of each match, at most `limit` of them if that is not negative.
// A match of nothing right after a match does not count, as in Go.
template <typename Found>
Result<void> EachMatch(BuiltinContext& context, const Pattern& pattern, std::int64_t limit,
                       std::size_t groups, Found found) {
  const std::string_view text = pattern.text;
  std::vector<re2::StringPiece> match(groups);
  std::size_t previous_end = std::string_view::npos;
  for (std::size_t at = 0; at <= text.size() && limit != 0;) {
    if (!pattern.regex->Match(Piece(text), at, text.size(), RE2::UNANCHORED, match.data(),
                              static_cast<int>(groups))) {
      break;
    }
    const auto start = static_cast<std::size_t>(match[0].data() - text.data());
    const std::size_t end = start + match[0].size();
    const bool counts = end > start || start != previous_end;
    if (end > start) {
      at = end;
    } else {
      at = end < text.size() ? end + RuneLength(text.substr(end)) : end + 1;
    }
    previous_end = end;
    if (!counts) continue;
    if (limit > 0) --limit;
    // A match may have looked at all that follows.
    TRY(context.Charge(2 + groups + (text.size() - start) / kLookaheadPerStep));
    TRY(found(match, start, end));
  }
  return {};
}

BuiltinResult Match(BuiltinContext& context, Operands x) {
  const Pattern pattern = TRY(Prepare(context, x, 0, 1));
  return Value::Bool(RE2::PartialMatch(Piece(pattern.text), *pattern.regex));
}

BuiltinResult IsValid(BuiltinContext& context, Operands x) {
  if (!x[0].is_string()) return Value::Bool(false);
  auto regex = GoRegex(context, x[0].string());
  if (!regex.has_value() && regex.error().code() == Code::kResourceExhausted) {
    return std::move(regex).error();
  }
  return Value::Bool(regex.has_value());
}

// As Go's Regexp.Split: a match of nothing does not count at the start, and at the end it drops the
// empty rest.
BuiltinResult Split(BuiltinContext& context, Operands x) {
  const Pattern pattern = TRY(Prepare(context, x, 0, 1));
  if (pattern.text.empty() && !pattern.regex->pattern().empty()) return StringArray({""});
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  std::size_t last_start = 0;
  TRY(EachMatch(context, pattern, -1, 1,
                [&](const auto&, std::size_t start, std::size_t end) -> Result<void> {
                  last_start = start;
                  if (end != 0) parts.push_back(pattern.text.substr(begin, start - begin));
                  begin = end;
                  return context.Charge(1, sizeof(Value) * 2);
                }));
  if (last_start != pattern.text.size()) parts.push_back(pattern.text.substr(begin));
  return StringArray(parts);
}

BuiltinResult FindN(BuiltinContext& context, Operands x) {
  const Pattern pattern = TRY(Prepare(context, x, 0, 1));
  const std::int64_t limit = TRY(IntegerOperand(x, 2));
  std::vector<std::string_view> found;
  TRY(EachMatch(context, pattern, limit, 1,
                [&](const auto& match, std::size_t, std::size_t) -> Result<void> {
                  found.push_back(View(match[0]));
                  return context.Charge(1, match[0].size() + sizeof(Value) * 2);
                }));
  return StringArray(found);
}

BuiltinResult FindAllSubmatches(BuiltinContext& context, Operands x) {
  const Pattern pattern = TRY(Prepare(context, x, 0, 1));
  const std::int64_t limit = TRY(IntegerOperand(x, 2));
  const auto groups = static_cast<std::size_t>(pattern.regex->NumberOfCapturingGroups()) + 1;
  std::vector<Value> found;
  const auto add = [&](const auto& match, std::size_t, std::size_t) -> Result<void> {
    TRY(context.Charge(groups, (match[0].size() + sizeof(Value) * 3) * groups));
    std::vector<std::string_view> parts;
    for (const auto& part : match) {
      parts.push_back(part.data() == nullptr ? std::string_view() : View(part));
    }
    found.push_back(StringArray(parts));
    return {};
  };
  TRY(EachMatch(context, pattern, limit, groups, add));
  return Value::Array(std::move(found));
}

// Go's Regexp.Expand: $1, ${1}, $name, ${name}, $$; unknown groups are empty.
Result<std::string> Expand(BuiltinContext& context, std::string_view pattern, const RE2& regex,
                           const std::vector<re2::StringPiece>& match) {
  std::string out;
  TRY(ChargeBytes(context, pattern.size()));
  while (true) {
    const std::size_t dollar = pattern.find('$');
    out += pattern.substr(0, dollar);
    if (dollar == std::string_view::npos) return out;
    pattern.remove_prefix(dollar + 1);
    if (!pattern.empty() && pattern[0] == '$') {
      out += '$';
      pattern.remove_prefix(1);
      continue;
    }
    const bool braced = !pattern.empty() && pattern[0] == '{';
    const std::string_view from = pattern.substr(braced ? 1 : 0);
    std::size_t length = 0;
    bool number = true;
    while (length < from.size()) {
      const char c = from[length];
      const bool digit = c >= '0' && c <= '9';
      const bool word = digit || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!word) break;
      number = number && digit;
      ++length;
    }
    if (length == 0 || (braced && (length == from.size() || from[length] != '}'))) {
      out += '$';
      continue;
    }
    const std::string name(from.substr(0, length));
    pattern.remove_prefix(length + (braced ? 2 : 0));
    std::size_t group = match.size();
    if (number) {
      if (name.size() < 5) group = static_cast<std::size_t>(std::stoi(name));
    } else {
      const auto named = regex.NamedCapturingGroups().find(name);
      if (named != regex.NamedCapturingGroups().end()) {
        group = static_cast<std::size_t>(named->second);
      }
    }
    if (group < match.size() && match[group].data() != nullptr) {
      TRY(ChargeBytes(context, match[group].size()));
      out += View(match[group]);
    }
  }
}

BuiltinResult ReplaceAll(BuiltinContext& context, Operands x) {
  const Pattern pattern = TRY(Prepare(context, x, 1, 0));
  const std::string_view with = TRY(StringOperand(x, 2));
  const auto groups = static_cast<std::size_t>(pattern.regex->NumberOfCapturingGroups()) + 1;
  std::string out;
  std::size_t last = 0;
  const auto replace = [&](const auto& match, std::size_t start, std::size_t end) -> Result<void> {
    const std::string expanded = TRY(Expand(context, with, *pattern.regex, match));
    TRY(ChargeBytes(context, start - last));
    out.append(pattern.text.substr(last, start - last)).append(expanded);
    last = end;
    return {};
  };
  TRY(EachMatch(context, pattern, -1, groups, replace));
  out.append(pattern.text.substr(last));
  return Value::String(out);
}

// The template with text outside of the delimiters quoted, as a regular expression.
Result<std::string> TemplateRegex(std::string_view text, std::string_view open,
                                  std::string_view close) {
  std::string out = "^";
  const Error unbalanced = BuiltinError("unbalanced braces in " + GoQuote(text));
  std::size_t depth = 0;
  std::string literal, inner;
  while (!text.empty()) {
    const std::string_view rune = text.substr(0, RuneLength(text));
    text.remove_prefix(rune.size());
    if (rune == open && depth++ == 0) {
      out += RE2::QuoteMeta(Piece(literal));
      literal.clear();
      continue;
    }
    if (rune == close && rune != open) {
      if (depth == 0) return unbalanced;
      if (--depth == 0) {
        out.append("(").append(inner).append(")");
        inner.clear();
        continue;
      }
    }
    (depth > 0 ? inner : literal) += rune;
  }
  if (depth > 0) return unbalanced;
  return out + RE2::QuoteMeta(Piece(literal)) + "$";
}

BuiltinResult TemplateMatch(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view subject = TRY(StringOperand(x, 1));
  const std::string_view open = TRY(StringOperand(x, 2));
  const std::string_view close = TRY(StringOperand(x, 3));
  for (const auto& [name, delimiter] : {std::pair("start", open), std::pair("end", close)}) {
    if (CountRunes(delimiter) != 1) {
      return BuiltinError(std::string(name) +
                          " delimiter has to be exactly one character long but is " +
                          std::to_string(delimiter.size()) + " long");
    }
  }
  TRY(context.Charge((text.size() + subject.size()) / 4));
  const std::string expression = TRY(TemplateRegex(text, open, close));
  const RE2* regex = TRY(GoRegex(context, expression));
  return Value::Bool(RE2::PartialMatch(Piece(subject), *regex));
}

BuiltinResult GlobsMatch(BuiltinContext& context, Operands x) {
  const std::string_view a = TRY(StringOperand(x, 0));
  const std::string_view b = TRY(StringOperand(x, 1));
  TRY(context.Charge((a.size() + 1) * (b.size() + 1), (a.size() + 1) * (b.size() + 1)));
  const bool match = TRY(GlobsIntersect(a, b));
  return Value::Bool(match);
}

}  // namespace

Result<const RE2*> GoRegex(BuiltinContext& context, std::string_view pattern) {
  if (HasAnyByteEscape(pattern)) {
    return BuiltinError("error parsing regexp: invalid escape sequence: `\\C`");
  }
  const auto rewritten = WithOldGroupNames(pattern);
  auto regex = context.Regex(rewritten ? std::string_view(*rewritten) : pattern);
  if (regex.has_value() || regex.error().code() == Code::kResourceExhausted) return regex;
  return BuiltinError(GoErrorText(regex.error().message()));
}

std::span<const Builtin> RegexBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"regex.match", 2, Match},
      Builtin{"re_match", 2, Match},
      Builtin{"regex.is_valid", 1, IsValid},
      Builtin{"regex.split", 2, Split},
      Builtin{"regex.find_n", 3, FindN},
      Builtin{"regex.find_all_string_submatch_n", 3, FindAllSubmatches},
      Builtin{"regex.replace", 3, ReplaceAll},
      Builtin{"regex.template_match", 4, TemplateMatch},
      Builtin{"regex.globs_match", 2, GlobsMatch},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
