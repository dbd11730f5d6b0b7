// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/glob_pattern.h"

#include <re2/re2.h>

#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

std::string Quoted(std::string_view text) {
  return RE2::QuoteMeta(re2::StringPiece(text.data(), text.size()));
}

// Inside [...] of RE2.
std::string QuotedInClass(std::string_view rune) {
  if (rune.size() > 1) return std::string(rune);
  return "\\x" + std::string(1, "0123456789abcdef"[static_cast<unsigned char>(rune[0]) >> 4]) +
         "0123456789abcdef"[static_cast<unsigned char>(rune[0]) & 15];
}

class GlobTranslator {
 public:
  GlobTranslator(std::string_view pattern, const std::vector<std::string_view>& separators)
      : rest_(pattern), whole_(pattern.size()) {
    if (separators.empty()) {
      one_ = "(?s:.)";
      return;
    }
    one_ = "[^";
    for (std::string_view separator : separators)
      one_ += QuotedInClass(separator);
    one_ += "]";
  }

  Result<std::string> Translate() {
    while (!rest_.empty()) {
      std::string_view rune = TakeRune();
      if (rune == "*") {
        bool super = !rest_.empty() && rest_[0] == '*';
        if (super) TakeRune();
        out_ += super ? "(?s:.*)" : one_ + "*";
      } else if (rune == "?") {
        out_ += one_;
      } else if (rune == "[") {
        TRY(Range());
      } else if (rune == "{") {
        ++open_;
        out_ += "(?:";
      } else if (rune == "}" && open_ > 0) {
        --open_;
        out_ += ")";
      } else if (rune == "," && open_ > 0) {
        out_ += "|";
      } else if (rune == "\\") {
        if (!rest_.empty()) out_ += Quoted(TakeRune());
      } else {
        out_ += Quoted(rune);
      }
    }
    if (open_ > 0) return Fail("unclosed `{`");
    return std::move(out_);
  }

 private:
  std::string_view TakeRune() {
    std::string_view rune = rest_.substr(0, RuneLength(rest_));
    rest_.remove_prefix(rune.size());
    return rune;
  }

  Error Fail(std::string_view why) const {
    return {
        Code::kInvalidArgument,
        "glob: syntax error at " + std::to_string(whole_ - rest_.size()) + ": " + std::string(why)};
  }

  // After "[": an optional "!", then either a-z or characters up to "]".
  Result<void> Range() {
    bool negated = !rest_.empty() && rest_[0] == '!';
    if (negated) TakeRune();
    if (rest_.empty()) return Fail("unexpected end of input");
    std::string_view low = rest_.substr(0, RuneLength(rest_));
    std::string members;
    if (rest_.size() > low.size() && rest_[low.size()] == '-') {
      TakeRune();
      TakeRune();
      if (rest_.empty()) return Fail("unexpected end of input");
      std::string_view high = TakeRune();
      if (RuneOf(high) < RuneOf(low)) return Fail("range hi character is less than lo");
      members = QuotedInClass(low) + "-" + QuotedInClass(high);
      if (rest_.empty() || rest_[0] != ']') return Fail("expected close range character");
    } else {
      while (!rest_.empty() && rest_[0] != ']') {
        std::string_view rune = TakeRune();
        if (rune == "\\") {
          if (rest_.empty()) break;
          rune = TakeRune();
        }
        members += QuotedInClass(rune);
      }
      if (rest_.empty()) return Fail("unexpected end of input");
    }
    TakeRune();
    if (members.empty()) return Fail("could not parse range");
    out_ += (negated ? "[^" : "[") + members + "]";
    return {};
  }

  std::string_view rest_;
  std::size_t whole_;
  std::string one_;
  std::string out_;
  int open_ = 0;
};

}  // namespace

Result<std::string> GlobToRegex(std::string_view pattern,
                                const std::vector<std::string_view>& separators) {
  return GlobTranslator(pattern, separators).Translate();
}

std::string QuoteGlob(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("*?\\[]{}").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

}  // namespace kata_cc::policy
