// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/cbor.h"

#include <limits>
#include <set>

namespace kata_cc::cbor {
namespace {

using Kind = Value::Kind;
constexpr int kMaxDepth = 32;

Error Bad(const char* why) {
  return {Code::kInvalidArgument, std::string("cbor: ") + why};
}

// By RFC 3629: no overlong forms, surrogates, or code points above U+10FFFF.
bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto at = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
    const unsigned char lead = at(i);
    const std::size_t size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : (lead & 0xf0) == 0xe0       ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    if (size == 0 || i + size > text.size()) return false;
    for (std::size_t k = 1; k < size; ++k)
      if ((at(i + k) & 0xc0) != 0x80) return false;
    if ((lead == 0xe0 && at(i + 1) < 0xa0) || (lead == 0xed && at(i + 1) > 0x9f) ||
        (lead == 0xf0 && at(i + 1) < 0x90) || (lead == 0xf4 && at(i + 1) > 0x8f)) {
      return false;
    }
    i += size;
  }
  return true;
}

class Decoder {
 public:
  explicit Decoder(ByteView bytes) : bytes_(bytes) {}

  Result<Value> Item(int depth) {
    if (depth > kMaxDepth) return Bad("nested too deeply");
    if (bytes_.empty()) return Bad("truncated");
    const unsigned major = bytes_[0] >> 5;
    const unsigned minor = bytes_[0] & 31;
    bytes_ = bytes_.subspan(1);
    const std::uint64_t argument = TRY(Argument(minor));
    Value value;
    value.number = argument;
    switch (major) {
      case 0:
      case 1:
        value.kind = major == 0 ? Kind::kUnsigned : Kind::kNegative;
        return value;
      case 2:
      case 3:
        TRY(String(argument, major == 2 ? Kind::kBytes : Kind::kText, value));
        return value;
      case 4:
        TRY(Array(argument, depth, value));
        return value;
      case 5:
        TRY(Map(argument, depth, value));
        return value;
      case 6:
        value.kind = Kind::kTag;
        value.items.push_back(TRY(Item(depth + 1)));
        return value;
      default:
        TRY(Simple(minor, value));
        return value;
    }
  }

  bool done() const { return bytes_.empty(); }

 private:
  Result<std::uint64_t> Argument(unsigned minor) {
    if (minor < 24) return std::uint64_t{minor};
    if (minor > 27) return Bad("indefinite length or reserved form");
    const std::size_t size = std::size_t{1} << (minor - 24);
    if (size > bytes_.size()) return Bad("truncated");
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes_.first(size))
      value = value << 8 | byte;
    bytes_ = bytes_.subspan(size);
    return value;
  }

  Result<void> String(std::uint64_t size, Kind kind, Value& value) {
    if (size > bytes_.size()) return Bad("string longer than the message");
    value.kind = kind;
    value.string = AsString(bytes_.first(static_cast<std::size_t>(size)));
    bytes_ = bytes_.subspan(static_cast<std::size_t>(size));
    if (kind == Kind::kText && !IsUtf8(value.string)) return Bad("text is not UTF-8");
    return {};
  }

  // An item takes a byte at least, so a count beyond what is left is a lie.
  Result<void> Array(std::uint64_t count, int depth, Value& value) {
    if (count > bytes_.size()) return Bad("array longer than the message");
    value.kind = Kind::kArray;
    for (std::uint64_t i = 0; i < count; ++i)
      value.items.push_back(TRY(Item(depth + 1)));
    return {};
  }

  Result<void> Map(std::uint64_t count, int depth, Value& value) {
    if (count > bytes_.size()) return Bad("map longer than the message");
    value.kind = Kind::kMap;
    std::set<std::pair<Kind, std::string>> seen;
    for (std::uint64_t i = 0; i < count; ++i) {
      Value key = TRY(Item(depth + 1));
      const bool integer = key.Is(Kind::kUnsigned) || key.Is(Kind::kNegative);
      if (!integer && !key.Is(Kind::kText) && !key.Is(Kind::kBytes)) {
        return Bad("key of a map is neither integer nor string");
      }
      if (!seen.emplace(key.kind, integer ? std::to_string(key.number) : key.string).second) {
        return Bad("key of a map is there twice");
      }
      value.keys.push_back(std::move(key));
      value.items.push_back(TRY(Item(depth + 1)));
    }
    return {};
  }

  static Result<void> Simple(unsigned minor, Value& value) {
    switch (minor) {
      case 20:
      case 21:
        value.kind = Kind::kBool;
        value.number = minor - 20;
        return {};
      case 22:
      case 23:
        value.kind = Kind::kNull;
        return {};
      case 25:
      case 26:
      case 27:
        value.kind = Kind::kFloat;
        return {};
      default:
        return Bad("unknown simple value");
    }
  }

  ByteView bytes_;
};

}  // namespace

std::optional<std::int64_t> Value::Integer() const {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if ((kind != Kind::kUnsigned && kind != Kind::kNegative) || number > kMax) return std::nullopt;
  const auto value = static_cast<std::int64_t>(number);
  return kind == Kind::kUnsigned ? value : -1 - value;
}

const Value* Value::Find(std::int64_t key) const {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].Integer() == key) return &items[i];
  return nullptr;
}

const Value* Value::Find(std::string_view key) const {
  for (std::size_t i = 0; i < keys.size(); ++i)
    if (keys[i].Is(Kind::kText) && keys[i].string == key) return &items[i];
  return nullptr;
}

Result<Value> Decode(ByteView bytes) {
  if (bytes.size() > kMaxSize) return Bad("message too large");
  Decoder decoder(bytes);
  Value value = TRY(decoder.Item(0));
  if (!decoder.done()) return Bad("bytes after the value");
  return value;
}

void Encoder::Head(unsigned major, std::uint64_t value) {
  const auto lead = [&](unsigned minor) {
    out_.push_back(static_cast<std::uint8_t>(major << 5 | minor));
  };
  if (value < 24) return lead(static_cast<unsigned>(value));
  const unsigned power = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
  lead(24 + power);
  for (unsigned i = 1U << power; i-- > 0;)
    out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

Encoder& Encoder::Integer(std::int64_t value) {
  Head(value < 0 ? 1 : 0, static_cast<std::uint64_t>(value < 0 ? -1 - value : value));
  return *this;
}

Encoder& Encoder::ByteString(ByteView value) {
  Head(2, value.size());
  return Raw(value);
}

Encoder& Encoder::Text(std::string_view value) {
  Head(3, value.size());
  return Raw(AsBytes(value));
}

Encoder& Encoder::Array(std::size_t count) {
  Head(4, count);
  return *this;
}

Encoder& Encoder::Map(std::size_t count) {
  Head(5, count);
  return *this;
}

Encoder& Encoder::Tag(std::uint64_t number) {
  Head(6, number);
  return *this;
}

Encoder& Encoder::Raw(ByteView encoded) {
  out_.insert(out_.end(), encoded.begin(), encoded.end());
  return *this;
}

}  // namespace kata_cc::cbor
