// SPDX-License-Identifier: Apache-2.0
// Strings: everything but regular expressions and templates. Positions count characters, not bytes.
#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/go_format.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"

namespace kata_cc::policy {
namespace {

struct TwoStrings {
  std::string_view a, b;
};

Result<TwoStrings> Two(BuiltinContext& context, Operands x) {
  const std::string_view a = TRY(StringOperand(x, 0));
  const std::string_view b = TRY(StringOperand(x, 1));
  TRY(ChargeScan(context, a.size() + b.size()));
  return TwoStrings{a, b};
}

BuiltinResult Text(std::string_view text) {
  return Value::String(text);
}

BuiltinResult Concat(BuiltinContext& context, Operands x) {
  const std::string_view delimiter = TRY(StringOperand(x, 0));
  if (!x[1].is_array() && !x[1].is_set()) return OperandError(2, "set, array", x[1]);
  std::uint64_t bytes = 0;
  for (const Value& item : x[1].items()) {
    if (!item.is_string()) return ElementError(2, x[1], item, "string");
    bytes += item.size() + delimiter.size();
  }
  TRY(ChargeBytes(context, bytes));
  std::string out;
  out.reserve(bytes);
  bool first = true;
  for (const Value& item : x[1].items()) {
    if (!first) out += delimiter;
    first = false;
    out += item.string();
  }
  return Text(out);
}

BuiltinResult Contains(BuiltinContext& context, Operands x) {
  const auto [text, part] = TRY(Two(context, x));
  return Value::Bool(FindText(text, part) != std::string_view::npos);
}

BuiltinResult StartsWith(BuiltinContext&, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view part = TRY(StringOperand(x, 1));
  return Value::Bool(text.substr(0, part.size()) == part);
}

bool HasSuffix(std::string_view text, std::string_view part) {
  return text.size() >= part.size() && text.substr(text.size() - part.size()) == part;
}

BuiltinResult EndsWith(BuiltinContext&, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view part = TRY(StringOperand(x, 1));
  return Value::Bool(HasSuffix(text, part));
}

BuiltinResult IndexOf(BuiltinContext& context, Operands x) {
  const auto [text, part] = TRY(Two(context, x));
  if (part.empty()) return BuiltinError("empty search character");
  const std::size_t at = FindText(text, part);
  if (at == std::string_view::npos) return Value::Int(-1);
  return Value::Int(static_cast<std::int64_t>(CountRunes(text.substr(0, at))));
}

BuiltinResult IndexOfN(BuiltinContext& context, Operands x) {
  const auto [text, part] = TRY(Two(context, x));
  if (part.empty()) return BuiltinError("empty search character");
  std::vector<Value> found;
  std::int64_t rune = 0;
  std::size_t next = FindText(text, part);
  for (std::size_t at = 0; next != std::string_view::npos; ++rune) {
    // A match counts where a character starts.
    if (next < at) next = FindText(text, part, at);
    if (next == std::string_view::npos) break;
    if (next == at) {
      TRY(context.Charge(1 + part.size() / kBytesPerStep, sizeof(Value)));
      found.push_back(Value::Int(rune));
    }
    at += RuneLength(text.substr(at));
  }
  return Value::Array(std::move(found));
}

BuiltinResult Lower(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  return Text(ToLower(text));
}

BuiltinResult Upper(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  return Text(ToUpper(text));
}

BuiltinResult Replace(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view old = TRY(StringOperand(x, 1));
  const std::string_view with = TRY(StringOperand(x, 2));
  TRY(ChargeBytes(context, text.size()));
  std::string out;
  std::size_t at = 0;
  while (true) {
    std::size_t found = old.empty() ? at : FindText(text, old, at);
    if (found == std::string_view::npos || found > text.size()) break;
    out.append(text.substr(at, found - at)).append(with);
    TRY(ChargeBytes(context, with.size()));
    at = found + old.size();
    if (!old.empty()) continue;
    if (at == text.size()) return Text(out);
    const std::size_t length = RuneLength(text.substr(at));
    out.append(text.substr(at, length));
    at += length;
  }
  out.append(text.substr(at));
  return Text(out);
}

// At each position the first pattern in the order of the keys wins, as Go's strings.Replacer.
BuiltinResult ReplaceN(BuiltinContext& context, Operands x) {
  const Value* patterns = TRY(ObjectOperand(x, 0));
  const std::string_view text = TRY(StringOperand(x, 1));
  std::uint64_t key_bytes = 0;
  for (const Member& member : patterns->members()) {
    if (!member.key.is_string()) {
      return OperandError(1, "non-string key found in pattern object");
    }
    key_bytes += member.key.size();
    if (!member.value.is_string()) {
      return OperandError(1, "non-string value found in pattern object");
    }
  }
  TRY(context.Charge((text.size() + 1) * (patterns->size() + 1 + key_bytes / 64) / 4, text.size()));
  std::string out;
  bool after_empty = false;
  for (std::size_t at = 0; at <= text.size();) {
    const Member* match = nullptr;
    for (const Member& member : patterns->members()) {
      const std::string_view key = member.key.string();
      if (text.compare(at, key.size(), key) == 0 && !(key.empty() && after_empty)) {
        match = &member;
        break;
      }
    }
    after_empty = match != nullptr && match->key.size() == 0;
    if (match != nullptr) {
      TRY(ChargeBytes(context, match->value.size()));
      out += match->value.string();
      at += match->key.size();
    } else {
      if (at < text.size()) out += text[at];
      ++at;
    }
  }
  return Text(out);
}

Result<std::vector<std::string_view>> SplitText(BuiltinContext& context, std::string_view text,
                                                std::string_view delimiter) {
  std::vector<std::string_view> parts;
  constexpr std::uint64_t kPartBytes = sizeof(Value) * 2 + sizeof(std::string_view);
  TRY(ChargeBytes(context, text.size()));
  while (true) {
    TRY(context.Charge(1, kPartBytes));
    if (delimiter.empty()) {
      if (text.empty()) return parts;
      parts.push_back(text.substr(0, RuneLength(text)));
      text.remove_prefix(parts.back().size());
      continue;
    }
    const std::size_t end = FindText(text, delimiter);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + delimiter.size());
  }
}

BuiltinResult Split(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view delimiter = TRY(StringOperand(x, 1));
  return StringArray(TRY(SplitText(context, text, delimiter)));
}

// The first n parts; the last -n if n is negative.
BuiltinResult SplitN(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view delimiter = TRY(StringOperand(x, 1));
  const std::int64_t count = TRY(IntegerOperand(x, 2));
  auto parts = TRY(SplitText(context, text, delimiter));
  const auto size = static_cast<std::int64_t>(parts.size());
  if (count >= 0 && count < size) parts.resize(static_cast<std::size_t>(count));
  if (count < 0 && count > -size) parts.erase(parts.begin(), parts.begin() + (size + count));
  return StringArray(parts);
}

BuiltinResult Substring(BuiltinContext& context, Operands x) {
  std::string_view text = TRY(StringOperand(x, 0));
  std::int64_t offset = TRY(IntegerOperand(x, 1));
  std::int64_t length = TRY(IntegerOperand(x, 2));
  if (offset < 0) return BuiltinError("negative offset");
  TRY(ChargeScan(context, text.size()));
  for (; offset > 0 && !text.empty(); --offset)
    text.remove_prefix(RuneLength(text));
  if (length < 0) return Text(text);
  std::size_t end = 0;
  for (; length > 0 && end < text.size(); --length)
    end += RuneLength(text.substr(end));
  return Text(text.substr(0, end));
}

bool InCutset(std::uint32_t rune, std::string_view cutset) {
  for (; !cutset.empty(); cutset.remove_prefix(RuneLength(cutset))) {
    if (RuneOf(cutset) == rune) return true;
  }
  return false;
}

template <typename Test>
std::string_view TrimFront(std::string_view text, Test test) {
  while (!text.empty() && test(RuneOf(text)))
    text.remove_prefix(RuneLength(text));
  return text;
}

template <typename Test>
std::string_view TrimBack(std::string_view text, Test test) {
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (start > 0 && text.size() - start < 4 &&
           (static_cast<unsigned char>(text[start]) & 0xc0U) == 0x80) {
      --start;
    }
    if (RuneLength(text.substr(start)) != text.size() - start) start = text.size() - 1;
    if (!test(RuneOf(text.substr(start)))) break;
    text.remove_suffix(text.size() - start);
  }
  return text;
}

template <bool kFront, bool kBack>
BuiltinResult TrimSet(BuiltinContext& context, Operands x) {
  std::string_view text = TRY(StringOperand(x, 0));
  const std::string_view cutset = TRY(StringOperand(x, 1));
  TRY(context.Charge(text.size() / 4 * (1 + cutset.size() / kBytesPerStep)));
  const auto cut = [cutset](std::uint32_t rune) { return InCutset(rune, cutset); };
  if (kFront) text = TrimFront(text, cut);
  if (kBack) text = TrimBack(text, cut);
  return Text(text);
}

BuiltinResult TrimSpace(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeScan(context, text.size()));
  return Text(TrimBack(TrimFront(text, IsSpaceRune), IsSpaceRune));
}

BuiltinResult TrimPrefix(BuiltinContext& context, Operands x) {
  auto [text, part] = TRY(Two(context, x));
  if (text.substr(0, part.size()) == part) text.remove_prefix(part.size());
  return Text(text);
}

BuiltinResult TrimSuffix(BuiltinContext& context, Operands x) {
  auto [text, part] = TRY(Two(context, x));
  if (HasSuffix(text, part)) text.remove_suffix(part.size());
  return Text(text);
}

BuiltinResult Reverse(BuiltinContext& context, Operands x) {
  std::string_view text = TRY(StringOperand(x, 0));
  TRY(ChargeBytes(context, text.size()));
  std::string out(text.size(), '\0');
  std::size_t end = out.size();
  while (!text.empty()) {
    const std::size_t length = RuneLength(text);
    end -= length;
    text.copy(&out[end], length);
    text.remove_prefix(length);
  }
  return Text(out);
}

BuiltinResult CountParts(BuiltinContext& context, Operands x) {
  const auto [text, part] = TRY(Two(context, x));
  if (part.empty()) return Value::Int(static_cast<std::int64_t>(CountRunes(text)) + 1);
  std::int64_t count = 0;
  for (std::size_t at = FindText(text, part); at != std::string_view::npos;
       at = FindText(text, part, at + part.size())) {
    ++count;
  }
  return Value::Int(count);
}

// A string or a collection of strings.
Result<std::vector<std::string_view>> Strings(Operands x, std::size_t i) {
  std::vector<std::string_view> out;
  if (x[i].is_string()) {
    out.push_back(x[i].string());
    return out;
  }
  if (!x[i].is_array() && !x[i].is_set()) return OperandError(i + 1, "string, set, array", x[i]);
  for (const Value& item : x[i].items()) {
    if (!item.is_string()) return ElementError(i + 1, x[i], item, "string");
    out.push_back(item.string());
  }
  return out;
}

template <bool kSuffix>
BuiltinResult AnyMatch(BuiltinContext& context, Operands x) {
  const auto texts = TRY(Strings(x, 0));
  const auto parts = TRY(Strings(x, 1));
  TRY(context.Charge(texts.size() * parts.size() / 4));
  for (std::string_view text : texts) {
    for (std::string_view part : parts) {
      const bool match = kSuffix ? HasSuffix(text, part) : text.substr(0, part.size()) == part;
      if (match) return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

BuiltinResult FormatInt(BuiltinContext& context, Operands x) {
  const Value* number = TRY(NumberOperand(x, 0));
  TRY(NumberOperand(x, 1));
  const auto base = x[1].ToInt64();
  if (base != 2 && base != 8 && base != 10 && base != 16) {
    return OperandError(2, "must be one of {2, 8, 10, 16}");
  }
  const Decimal value = number->ToDecimal();
  const auto whole = (value.is_negative() ? value.Ceil() : value.Floor()).ToBigInt();
  if (!whole) return Error(Code::kResourceExhausted, "number too large");
  TRY(context.Charge(1 + whole->bits() / 8));
  return Text(whole->ToText(static_cast<unsigned>(*base)));
}

BuiltinResult Sprintf(BuiltinContext& context, Operands x) {
  const std::string_view format = TRY(StringOperand(x, 0));
  const auto arguments = TRY(ArrayOperand(x, 1));
  return Text(TRY(GoFormat(context, format, arguments)));
}

}  // namespace

std::span<const Builtin> StringBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"concat", 2, Concat},
      Builtin{"contains", 2, Contains},
      Builtin{"startswith", 2, StartsWith},
      Builtin{"endswith", 2, EndsWith},
      Builtin{"indexof", 2, IndexOf},
      Builtin{"indexof_n", 2, IndexOfN},
      Builtin{"lower", 1, Lower},
      Builtin{"upper", 1, Upper},
      Builtin{"replace", 3, Replace},
      Builtin{"strings.replace_n", 2, ReplaceN},
      Builtin{"split", 2, Split},
      Builtin{"strings.split_n", 3, SplitN},
      Builtin{"substring", 3, Substring},
      Builtin{"trim", 2, TrimSet<true, true>},
      Builtin{"trim_left", 2, TrimSet<true, false>},
      Builtin{"trim_right", 2, TrimSet<false, true>},
      Builtin{"trim_prefix", 2, TrimPrefix},
      Builtin{"trim_suffix", 2, TrimSuffix},
      Builtin{"trim_space", 1, TrimSpace},
      Builtin{"strings.reverse", 1, Reverse},
      Builtin{"strings.count", 2, CountParts},
      Builtin{"strings.any_prefix_match", 2, AnyMatch<false>},
      Builtin{"strings.any_suffix_match", 2, AnyMatch<true>},
      Builtin{"format_int", 2, FormatInt},
      Builtin{"sprintf", 2, Sprintf},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
