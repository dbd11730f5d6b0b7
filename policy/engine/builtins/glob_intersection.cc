// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/glob_intersection.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

using Runes = std::vector<std::uint32_t>;

struct Token {
  bool any = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  bool optional = false;  // *
  bool repeats = false;   // * and +
};

std::string Shown(std::uint32_t rune) {
  std::string out;
  AppendRune(rune, out);
  return out;
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {
    for (; !text.empty(); text.remove_prefix(RuneLength(text)))
      runes_.push_back(RuneOf(text));
  }

  Result<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    bool may_flag = false;
    while (at_ < runes_.size()) {
      const std::uint32_t rune = runes_[at_];
      if (rune == '*' || rune == '+') {
        ++at_;
        if (!may_flag)
          return Fail(at_, "flag '" + Shown(rune) + "' must be preceded by a non-flag");
        tokens.back().optional = rune == '*';
        tokens.back().repeats = true;
        may_flag = false;
        continue;
      }
      tokens.push_back(TRY(One()));
      may_flag = true;
    }
    return tokens;
  }

 private:
  Error Fail(std::size_t at, std::string_view why) const {
    return {Code::kFailedPrecondition, "input:" + std::string(text_) +
                                           ", pos:" + std::to_string(at) + ", " + std::string(why) +
                                           ": the input provided is invalid"};
  }

  Result<std::uint32_t> Escaped() {
    if (at_ == runes_.size()) return Fail(at_ - 1, "input ends with a \\ (escape) character");
    return runes_[at_++];
  }

  Result<Token> One() {
    Token token;
    std::uint32_t rune = runes_[at_++];
    if (rune == '.') {
      token.any = true;
      return token;
    }
    if (rune == '[') return Set();
    if (rune == ']') return Fail(at_, "set-close ']' with no preceding '['");
    if (rune == '\\') rune = TRY(Escaped());
    token.ranges.emplace_back(rune, rune);
    return token;
  }

  Result<Token> Set() {
    Token token;
    bool single = false;  // The last range is one character, which a '-' may extend.
    while (true) {
      if (at_ == runes_.size()) return Fail(at_, "found [ without matching ]");
      std::uint32_t rune = runes_[at_++];
      if (rune == ']') return token;
      if (rune == '-') {
        if (!single) {
          return Fail(at_, "range character '-' must be preceded by a Unicode character");
        }
        if (at_ == runes_.size() || runes_[at_] == ']' || runes_[at_] == '-') {
          return Fail(at_, "range character '-' must be followed by a Unicode character");
        }
        std::uint32_t high = runes_[at_++];
        if (high == '\\') high = TRY(Escaped());
        const std::uint32_t low = token.ranges.back().first;
        if (high < low) {
          return Fail(at_, "range is out of order: '" + Shown(high) + "' comes before '" +
                               Shown(low) + "' in Unicode");
        }
        token.ranges.back().second = high;
        single = false;
        continue;
      }
      if (rune == '\\') rune = TRY(Escaped());
      token.ranges.emplace_back(rune, rune);
      single = true;
    }
  }

  std::string_view text_;
  Runes runes_;
  std::size_t at_ = 0;
};

bool Overlap(const Token& a, const Token& b) {
  if (a.any || b.any) {
    return (a.any || !a.ranges.empty()) && (b.any || !b.ranges.empty());
  }
  return std::any_of(a.ranges.begin(), a.ranges.end(), [&b](const auto& x) {
    return std::any_of(b.ranges.begin(), b.ranges.end(),
                       [&x](const auto& y) { return x.first <= y.second && y.first <= x.second; });
  });
}

}  // namespace

Result<bool> GlobsIntersect(std::string_view a_text, std::string_view b_text) {
  const auto a = TRY(Tokenizer(a_text).Run());
  const auto b = TRY(Tokenizer(b_text).Run());
  // State: how many tokens of each are done, and whether the one before may still repeat.
  // Reached by breadth-first search over pairs; 2 bits say which of the two may repeat.
  const std::size_t width = b.size() + 1;
  std::vector<std::uint8_t> seen((a.size() + 1) * width, 0);
  std::vector<std::pair<std::size_t, unsigned>> open;
  const auto reach = [&](std::size_t i, std::size_t k, unsigned repeating) {
    const auto bit = static_cast<std::uint8_t>(1U << repeating);
    std::uint8_t& marks = seen[i * width + k];
    if ((marks & bit) != 0) return;
    marks = static_cast<std::uint8_t>(marks | bit);
    open.emplace_back(i * width + k, repeating);
  };
  reach(0, 0, 0);
  while (!open.empty()) {
    const auto [at, repeating] = open.back();
    open.pop_back();
    const std::size_t i = at / width;
    const std::size_t k = at % width;
    if (i == a.size() && k == b.size()) return true;
    // Skip an optional token without a character.
    if (i < a.size() && a[i].optional) reach(i + 1, k, repeating & 2U);
    if (k < b.size() && b[k].optional) reach(i, k + 1, repeating & 1U);
    // One character: from the token before if it repeats, or from the next.
    for (unsigned from_a = 0; from_a < 2; ++from_a) {
      if (from_a == 0 ? i == a.size() : (repeating & 1U) == 0) continue;
      const Token& x = from_a == 0 ? a[i] : a[i - 1];
      for (unsigned from_b = 0; from_b < 2; ++from_b) {
        if (from_b == 0 ? k == b.size() : (repeating & 2U) == 0) continue;
        const Token& y = from_b == 0 ? b[k] : b[k - 1];
        if (!Overlap(x, y)) continue;
        reach(i + 1 - from_a, k + 1 - from_b, (x.repeats ? 1U : 0U) | (y.repeats ? 2U : 0U));
      }
    }
  }
  return false;
}

}  // namespace kata_cc::policy
