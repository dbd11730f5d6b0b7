// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/filter.h"

#include <re2/re2.h>

#include <algorithm>
#include <memory>
#include <utility>

namespace kata_cc::snapshotter {

class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  Result<std::vector<Filter::Selector>> Parse() {
    std::vector<Filter::Selector> selectors;
    if (text_.empty()) return selectors;
    while (true) {
      selectors.push_back(TRY(ParseSelector()));
      if (at_ == text_.size()) return selectors;
      if (text_[at_] != ',') return Failure("expected a comma");
      ++at_;
    }
  }

 private:
  Error Failure(const std::string& why) const {
    return {Code::kInvalidArgument, "filter: " + std::string(text_.substr(0, 256)) + ": at " +
                                        std::to_string(at_) + ": " + why};
  }

  static bool IsFieldCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }

  // A quoted word; at_ is on its opening quote. A backslash takes the next character as it is.
  Result<std::string> Quoted() {
    const char quote = text_[at_++];
    std::string word;
    while (at_ < text_.size() && text_[at_] != quote) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size() && (quote == '"' || text_[at_ + 1] == quote))
        ++at_;
      word += text_[at_++];
    }
    if (at_ == text_.size()) return Failure("a quote is not closed");
    ++at_;
    return word;
  }

  Result<std::string> FieldPart() {
    if (at_ < text_.size() && text_[at_] == '"') return Quoted();
    const std::size_t begin = at_;
    while (at_ < text_.size() && IsFieldCharacter(text_[at_]))
      ++at_;
    if (begin == at_) return Failure("expected a field");
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<std::string> Value(bool regex) {
    if (at_ < text_.size() && text_[at_] == '"') return Quoted();
    if (regex && at_ < text_.size() && (text_[at_] == '|' || text_[at_] == '/')) return Quoted();
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '"')
      ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Result<Filter::Selector> ParseSelector() {
    std::vector<std::string> path;
    path.push_back(TRY(FieldPart()));
    while (at_ < text_.size() && text_[at_] == '.') {
      ++at_;
      path.push_back(TRY(FieldPart()));
    }
    const std::string_view sign = text_.substr(at_, 2);
    if (sign != "==" && sign != "!=" && sign != "~=")
      return Filter::Selector(
          [path](const FieldValue& value_of) { return value_of(path).has_value(); });
    at_ += 2;
    std::string wanted = TRY(Value(sign == "~="));
    if (sign == "==")
      return Filter::Selector([path, wanted](const FieldValue& value_of) {
        const auto value = value_of(path);
        return value && *value == wanted;
      });
    if (sign == "!=")
      return Filter::Selector([path, wanted](const FieldValue& value_of) {
        return value_of(path).value_or("") != wanted;
      });
    auto pattern = std::make_shared<RE2>(wanted, RE2::Quiet);
    if (!pattern->ok()) return Failure("regular expression: " + pattern->error());
    return Filter::Selector([path, pattern](const FieldValue& value_of) {
      const auto value = value_of(path);
      return value && RE2::PartialMatch(*value, *pattern);
    });
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Filter> Filter::Parse(const std::vector<std::string>& filters) {
  Filter filter;
  for (const std::string& text : filters)
    filter.any_of_.push_back(TRY(FilterParser(text).Parse()));
  return filter;
}

bool Filter::Matches(const FieldValue& value_of) const {
  if (any_of_.empty()) return true;
  return std::ranges::any_of(any_of_, [&](const std::vector<Selector>& all_of) {
    return std::ranges::all_of(all_of,
                               [&](const Selector& selector) { return selector(value_of); });
  });
}

}  // namespace kata_cc::snapshotter
