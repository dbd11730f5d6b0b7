// SPDX-License-Identifier: Apache-2.0
// Values from JSON.
#include <charconv>
#include <cmath>

#include "policy/engine/utf8.h"
#include "policy/engine/value.h"

namespace kata_cc::policy {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

void AppendUtf8(std::uint32_t rune, std::string& out) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xc0 | (rune >> 6U));
    put(0x80 | (rune & 0x3fU));
  } else if (rune < 0x10000) {
    put(0xe0 | (rune >> 12U));
    put(0x80 | ((rune >> 6U) & 0x3fU));
    put(0x80 | (rune & 0x3fU));
  } else {
    put(0xf0 | (rune >> 18U));
    put(0x80 | ((rune >> 12U) & 0x3fU));
    put(0x80 | ((rune >> 6U) & 0x3fU));
    put(0x80 | (rune & 0x3fU));
  }
}

class Parser {
 public:
  Parser(std::string_view text, std::size_t max_depth) : text_(text), max_depth_(max_depth) {}

  Result<Value> Parse() {
    Value out = TRY(ParseValue(0));
    SkipSpace();
    if (at_ != text_.size()) return Fail("text after the value");
    return out;
  }

 private:
  Error Fail(std::string_view what) const {
    return {Code::kInvalidArgument,
            "json: offset " + std::to_string(at_) + ": " + std::string(what)};
  }

  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool Take(char c) {
    SkipSpace();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool TakeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Result<Value> ParseValue(std::size_t depth) {
    if (depth > max_depth_) return Fail("nested deeper than " + std::to_string(max_depth_));
    SkipSpace();
    if (at_ >= text_.size()) return Fail("unexpected end");
    switch (text_[at_]) {
      case '{':
        return ParseObject(depth);
      case '[':
        return ParseArray(depth);
      case '"': {
        std::string text = TRY(ParseString());
        return Value::String(text);
      }
      case 't':
        if (TakeWord("true")) return Value::Bool(true);
        break;
      case 'f':
        if (TakeWord("false")) return Value::Bool(false);
        break;
      case 'n':
        if (TakeWord("null")) return Value();
        break;
      default:
        return ParseNumber();
    }
    return Fail("unexpected character");
  }

  Result<Value> ParseNumber() {
    const std::size_t start = at_;
    while (at_ < text_.size() &&
           ((text_[at_] >= '0' && text_[at_] <= '9') || text_[at_] == '-' || text_[at_] == '+' ||
            text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) {
      ++at_;
    }
    auto value = Value::NumberFromText(text_.substr(start, at_ - start));
    if (!value) {
      at_ = start;
      return Fail(at_ < text_.size() ? "no value, or a number out of range" : "unexpected end");
    }
    return *std::move(value);
  }

  Result<Value> ParseArray(std::size_t depth) {
    ++at_;
    std::vector<Value> items;
    if (Take(']')) return Value::Array(std::move(items));
    for (;;) {
      items.push_back(TRY(ParseValue(depth + 1)));
      if (Take(']')) return Value::Array(std::move(items));
      if (!Take(',')) return Fail("expected , or ]");
    }
  }

  Result<Value> ParseObject(std::size_t depth) {
    ++at_;
    std::vector<Member> members;
    if (Take('}')) return Value::Object(std::move(members));
    for (;;) {
      SkipSpace();
      if (at_ >= text_.size() || text_[at_] != '"') return Fail("expected a key");
      const std::string key = TRY(ParseString());
      if (!Take(':')) return Fail("expected :");
      Value value = TRY(ParseValue(depth + 1));
      members.push_back({Value::String(key), std::move(value)});
      if (Take('}')) return Value::Object(std::move(members));
      if (!Take(',')) return Fail("expected , or }");
    }
  }

  std::optional<std::uint32_t> TakeHex4() {
    if (text_.size() - at_ < 4) return std::nullopt;
    std::uint32_t rune = 0;
    const char* start = text_.data() + at_;
    const auto [end, error] = std::from_chars(start, start + 4, rune, 16);
    if (error != std::errc() || end != start + 4) return std::nullopt;
    at_ += 4;
    return rune;
  }

  // At the four digits of \uXXXX; a pair of surrogates is one character.
  Result<void> TakeUnicode(std::string& out) {
    auto rune = TakeHex4();
    if (!rune) return Fail("bad \\u escape");
    if (*rune >= 0xd800 && *rune < 0xdc00 && text_.substr(at_, 2) == "\\u") {
      const std::size_t back = at_;
      at_ += 2;
      const auto low = TakeHex4();
      if (low && *low >= 0xdc00 && *low < 0xe000) {
        rune = 0x10000 + ((*rune - 0xd800) << 10U) + (*low - 0xdc00);
      } else {
        at_ = back;
      }
    }
    AppendUtf8(*rune >= 0xd800 && *rune < 0xe000 ? kReplacement : *rune, out);
    return {};
  }

  Result<std::string> ParseString() {
    ++at_;
    std::string out;
    for (;;) {
      const std::size_t start = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20) {
        const std::size_t length = Utf8Length(text_.substr(at_));
        if (length == 0) break;
        at_ += length;
      }
      out.append(text_.substr(start, at_ - start));
      if (at_ >= text_.size()) return Fail("unterminated string");
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c != '\\') {
        if (static_cast<unsigned char>(c) < 0x20) return Fail("control character in a string");
        AppendUtf8(kReplacement, out);  // As Go does with bytes that are no UTF-8.
        ++at_;
        continue;
      }
      if (++at_ >= text_.size()) return Fail("unterminated string");
      const char escape = text_[at_++];
      constexpr std::string_view kEscapes = "\"\\/bfnrt";
      constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
      if (escape == 'u') {
        TRY(TakeUnicode(out));
      } else if (const auto i = kEscapes.find(escape); i != std::string_view::npos) {
        out.push_back(kMeanings[i]);
      } else {
        return Fail("bad escape");
      }
    }
  }

  std::string_view text_;
  std::size_t max_depth_;
  std::size_t at_ = 0;
};

Error BadJson(std::string_view what) {
  return {Code::kInvalidArgument, "json: " + std::string(what)};
}

Result<Value> Convert(const nlohmann::json& json, std::size_t depth_left) {
  using Type = nlohmann::json::value_t;
  switch (json.type()) {
    case Type::null:
      return Value();
    case Type::boolean:
      return Value::Bool(json.get<bool>());
    case Type::number_integer:
      return Value::Int(json.get<std::int64_t>());
    case Type::number_unsigned: {
      const auto value = json.get<std::uint64_t>();
      if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
        return Value::Int(static_cast<std::int64_t>(value));
      }
      return *Value::NumberFromText(std::to_string(value));
    }
    case Type::number_float: {
      const auto value = json.get<double>();
      if (!std::isfinite(value)) return BadJson("no finite number");
      return Value::Double(value);
    }
    case Type::string:
      return Value::String(json.get_ref<const std::string&>());
    case Type::array: {
      if (depth_left == 0) break;
      std::vector<Value> items;
      items.reserve(json.size());
      for (const nlohmann::json& item : json)
        items.push_back(TRY(Convert(item, depth_left - 1)));
      return Value::Array(std::move(items));
    }
    case Type::object: {
      if (depth_left == 0) break;
      std::vector<Member> members;
      members.reserve(json.size());
      for (auto it = json.begin(); it != json.end(); ++it) {
        Value value = TRY(Convert(it.value(), depth_left - 1));
        members.push_back({Value::String(it.key()), std::move(value)});
      }
      return Value::SortedObject(std::move(members));  // std::map has our order.
    }
    default:
      return BadJson("no JSON value");
  }
  return BadJson("nested too deep");
}

}  // namespace

Result<Value> ParseJson(std::string_view text, std::size_t max_depth) {
  return Parser(text, max_depth).Parse();
}

Result<Value> FromJson(const nlohmann::json& json, std::size_t max_depth) {
  return Convert(json, max_depth);
}

}  // namespace kata_cc::policy
