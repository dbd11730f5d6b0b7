// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/go_format.h"

#include <charconv>
#include <optional>

#include "policy/engine/builtins/go_verbs.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

constexpr int kMaxWidth = 1'000'000;  // Go's; larger ones are no number to it.

class Formatter {
 public:
  Formatter(BuiltinContext& context, std::string_view format, std::span<const Value> arguments)
      : context_(context), rest_(format), arguments_(arguments) {}

  Result<std::string> Format() {
    TRY(ChargeBytes(context_, rest_.size()));
    while (!rest_.empty()) {
      const std::size_t percent = rest_.find('%');
      out_.append(rest_.substr(0, percent));
      if (percent == std::string_view::npos) break;
      rest_.remove_prefix(percent + 1);
      TRY(Directive());
    }
    if (!reordered_ && next_ < arguments_.size()) {
      out_ += "%!(EXTRA ";
      for (std::size_t i = next_; i < arguments_.size(); ++i) {
        if (i > next_) out_ += ", ";
        const FormatArgument argument = TRY(Charged(arguments_[i]));
        out_ += TypedText(argument);
      }
      out_ += ")";
    }
    return std::move(out_);
  }

 private:
  // The argument, its text charged as often as it is written.
  Result<FormatArgument> Charged(const Value& value) {
    if (!value.is_string()) TRY(context_.Charge(value.weight() / 4, value.weight()));
    FormatArgument argument = MakeFormatArgument(value);
    TRY(ChargeBytes(context_, argument.text.size() * 2 + argument.integer.bits() / 2));
    return argument;
  }

  bool Peek(char c) const { return !rest_.empty() && rest_[0] == c; }

  void TakeFlags(FormatFlags& flags) {
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      switch (rest_[0]) {
        case '#':
          flags.sharp = true;
          break;
        case '0':
          flags.zero = true;
          break;
        case '+':
          flags.plus = true;
          break;
        case '-':
          flags.minus = true;
          break;
        case ' ':
          flags.space = true;
          break;
        default:
          return;
      }
    }
  }

  // A decimal number; false when there is none, and the rest is gone when it is too large.
  bool TakeNumber(int* value) {
    bool found = false;
    *value = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      *value = *value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
      found = true;
      if (*value > kMaxWidth) {
        rest_ = {};
        return false;
      }
    }
    return found;
  }

  // [n]: the next argument is the n-th.
  void TakeIndex() {
    if (!Peek('[')) return;
    reordered_ = true;
    const std::size_t close = rest_.find(']');
    if (close == std::string_view::npos) {
      good_index_ = false;
      rest_.remove_prefix(1);
      return;
    }
    std::string_view digits = rest_.substr(1, close - 1);
    rest_.remove_prefix(close + 1);
    int index = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    const bool number = error == std::errc() && end == digits.data() + digits.size() &&
                        !digits.empty() && index >= 1 &&
                        static_cast<std::size_t>(index) <= arguments_.size();
    if (!number) {
      good_index_ = false;
      return;
    }
    next_ = static_cast<std::size_t>(index) - 1;
    indexed_ = true;
  }

  // The value of a '*', which is an argument.
  std::optional<int> TakeStar() {
    if (next_ >= arguments_.size()) return std::nullopt;
    const Value& value = arguments_[next_++];
    indexed_ = false;
    const auto number = value.is_small_int() ? value.ToInt64() : std::nullopt;
    if (!number || *number > kMaxWidth || *number < -kMaxWidth) return std::nullopt;
    return static_cast<int>(*number);
  }

  void TakeWidth(FormatFlags& flags) {
    if (Peek('*')) {
      rest_.remove_prefix(1);
      flags.width = TakeStar();
      if (!flags.width) out_ += "%!(BADWIDTH)";
      if (flags.width && *flags.width < 0) {
        flags.width = -*flags.width;
        flags.minus = true;
      }
      indexed_ = false;
      return;
    }
    int width = 0;
    if (TakeNumber(&width)) {
      flags.width = width;
      if (indexed_) good_index_ = false;  // "%[3]2d"
    }
  }

  void TakePrecision(FormatFlags& flags) {
    if (!Peek('.')) return;
    rest_.remove_prefix(1);
    if (indexed_) good_index_ = false;  // "%[3].2d"
    TakeIndex();
    if (Peek('*')) {
      rest_.remove_prefix(1);
      flags.precision = TakeStar();
      if (flags.precision && *flags.precision < 0) flags.precision.reset();
      if (!flags.precision) out_ += "%!(BADPREC)";
      indexed_ = false;
      return;
    }
    int precision = 0;
    TakeNumber(&precision);
    flags.precision = precision;
  }

  Result<void> Directive() {
    FormatFlags flags;
    good_index_ = true;
    indexed_ = false;
    TakeFlags(flags);
    TakeIndex();
    TakeWidth(flags);
    TakePrecision(flags);
    if (!indexed_) TakeIndex();
    if (rest_.empty()) {
      out_ += "%!(NOVERB)";
      return {};
    }
    const std::string_view verb = rest_.substr(0, RuneLength(rest_));
    rest_.remove_prefix(verb.size());
    if (verb == "%") {
      out_ += '%';
    } else if (!good_index_) {
      out_.append("%!").append(verb).append("(BADINDEX)");
    } else if (next_ >= arguments_.size()) {
      out_.append("%!").append(verb).append("(MISSING)");
    } else {
      const Value& value = arguments_[next_++];
      TRY(ChargeBytes(context_, static_cast<std::uint64_t>(flags.width.value_or(0)) +
                                    static_cast<std::uint64_t>(flags.precision.value_or(0)) + 16));
      const FormatArgument argument = TRY(Charged(value));
      out_ += VerbText(argument, verb, flags);
    }
    return {};
  }

  BuiltinContext& context_;
  std::string_view rest_;
  std::span<const Value> arguments_;
  std::string out_;
  std::size_t next_ = 0;
  bool reordered_ = false;
  bool good_index_ = true;
  bool indexed_ = false;  // The current directive has a [n] that no '*' has used.
};

}  // namespace

Result<std::string> GoFormat(BuiltinContext& context, std::string_view format,
                             std::span<const Value> arguments) {
  return Formatter(context, format, arguments).Format();
}

}  // namespace kata_cc::policy
