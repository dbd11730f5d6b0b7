// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/value.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <random>

namespace kata_cc::policy {
namespace {

thread_local std::int64_t live_bytes = 0;

constexpr std::uint64_t kMix = 0x9e37'79b9'7f4a'7c15U;

std::uint64_t Seed() {
  static const std::uint64_t seed = (std::uint64_t{std::random_device()()} << 32U) | 1U;
  return seed;
}

__extension__ using Wide = unsigned __int128;

std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a ^ kMix) * (b | 1U);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64U);
}

std::uint64_t HashBytes(const char* data, std::size_t size) {
  std::uint64_t hash = Seed() ^ size;
  for (; size >= 8; data += 8, size -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, data, 8);
    hash = Mix(hash ^ word, kMix);
  }
  std::uint64_t tail = 0;
  std::memcpy(&tail, data, size);
  return Mix(hash ^ tail, kMix + size);
}

int CompareBytes(std::string_view a, std::string_view b) {
  const int order = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
  if (order != 0) return order;
  return a.size() < b.size() ? -1 : (a.size() > b.size() ? 1 : 0);
}

int Three(std::int64_t a, std::int64_t b) {
  return a < b ? -1 : (a > b ? 1 : 0);
}

std::uint32_t Depth(const Value& value) {
  return value.depth();
}
std::uint32_t Depth(const Member& member) {
  return std::max(member.key.depth(), member.value.depth());
}
std::uint32_t Weight(const Value& value) {
  return value.weight();
}
std::uint32_t Weight(const Member& member) {
  return member.key.weight() + member.value.weight();
}

}  // namespace

struct Value::NumberRep {
  Rep header;
  Decimal value;
  std::string text;
};

std::string_view KindName(Kind kind) {
  constexpr std::array<std::string_view, 7> kNames = {"null",  "boolean", "number", "string",
                                                      "array", "object",  "set"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::int64_t LiveBytes() {
  return live_bytes;
}

Value::Rep* Value::NewRep(std::size_t size, std::size_t bytes) {
  live_bytes += static_cast<std::int64_t>(sizeof(Rep) + bytes);
  return ::new (::operator new(sizeof(Rep) + bytes)) Rep{1, static_cast<std::uint32_t>(size), 0, 0};
}

void Value::Free() noexcept {
  Rep* rep = payload_.rep;
  std::size_t bytes = sizeof(Rep);
  switch (kind_) {
    case Kind::kString:
      bytes += rep->size;
      break;
    case Kind::kArray:
    case Kind::kSet:
      bytes += rep->size * sizeof(Value);
      std::destroy_n(reinterpret_cast<Value*>(rep + 1), rep->size);
      break;
    case Kind::kObject:
      bytes += rep->size * sizeof(Member);
      std::destroy_n(reinterpret_cast<Member*>(rep + 1), rep->size);
      break;
    default: {
      auto* number = reinterpret_cast<NumberRep*>(rep);
      live_bytes -= static_cast<std::int64_t>(sizeof(NumberRep) + number->text.size());
      delete number;
      return;
    }
  }
  live_bytes -= static_cast<std::int64_t>(bytes);
  ::operator delete(rep);
}

Value Value::String(std::string_view value) {
  Rep* rep = NewRep(value.size(), value.size());
  if (!value.empty()) std::memcpy(rep + 1, value.data(), value.size());
  rep->shape =
      static_cast<std::uint32_t>(std::min<std::size_t>(1 + value.size() / 16, kMostWeight));
  return {Kind::kString, rep};
}

// Moves the parts when they are not const.
template <typename T>
Value Value::Composite(Kind kind, std::span<T> parts) {
  using Part = std::remove_const_t<T>;
  Rep* rep = NewRep(parts.size(), parts.size() * sizeof(Part));
  Part* out = reinterpret_cast<Part*>(rep + 1);
  std::uint32_t depth = 0;
  std::uint64_t weight = 1;
  for (T& part : parts) {
    depth = std::max(depth, Depth(part));
    weight += Weight(part);
    ::new (out++) Part(std::move(part));  // NOLINT(bugprone-move-forwarding-reference)
  }
  rep->shape = std::min(depth + 1, kMostDepth) << kWeightBits |
               static_cast<std::uint32_t>(std::min<std::uint64_t>(weight, kMostWeight));
  return {kind, rep};
}

Value Value::Array(std::vector<Value> items) {
  return Composite(Kind::kArray, std::span(items));
}
Value Value::Array(std::span<const Value> items) {
  return Composite(Kind::kArray, items);
}

Value Value::SortedSet(std::vector<Value> items) {
  return Composite(Kind::kSet, std::span(items));
}
Value Value::SortedObject(std::vector<Member> members) {
  return Composite(Kind::kObject, std::span(members));
}

Value Value::Set(std::vector<Value> items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  return SortedSet(std::move(items));
}

Value Value::Object(std::vector<Member> members) {
  const auto less = [](const Member& a, const Member& b) { return a.key < b.key; };
  if (!std::is_sorted(members.begin(), members.end(), less)) {
    std::stable_sort(members.begin(), members.end(), less);
  }
  // Of equal keys keep the last.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i].key == members[i + 1].key) continue;
    if (kept != i) members[kept] = std::move(members[i]);
    ++kept;
  }
  members.resize(kept);
  return SortedObject(std::move(members));
}

Value Value::NewNumber(Decimal value, std::string text) {
  auto* rep = new NumberRep{{1, 0, 0, 0}, std::move(value), std::move(text)};
  live_bytes += static_cast<std::int64_t>(sizeof(NumberRep) + rep->text.size());
  return {Kind::kNumber, &rep->header};
}

Value Value::Number(const Decimal& value) {
  if (const auto small = value.ToInt64()) return Int(*small);
  return NewNumber(value, value.ToText());
}

Value Value::Number(const BigInt& value) {
  if (const auto small = value.ToInt64()) return Int(*small);
  return NewNumber(Decimal(value), value.ToText());
}

Value Value::Double(double value) {
  return Number(Decimal::FromDouble(value));
}

std::optional<Value> Value::NumberFromText(std::string_view text) {
  constexpr std::size_t kSurelySmall = 18;
  if (!text.empty() && text.size() <= kSurelySmall) {
    std::int64_t value = 0;
    const bool negative = text[0] == '-';
    const std::string_view digits = text.substr(negative ? 1 : 0);
    bool plain = !digits.empty() && (digits[0] != '0' || digits.size() == 1);
    for (const char c : digits) {
      plain = plain && c >= '0' && c <= '9';
      value = value * 10 + (c - '0');
    }
    if (plain && !(negative && value == 0)) return Int(negative ? -value : value);
  }
  auto value = Decimal::Parse(text);
  if (!value) return std::nullopt;
  if (const auto small = value->ToInt64(); small && std::to_string(*small) == text) {
    return Int(*small);
  }
  return NewNumber(*std::move(value), std::string(text));
}

const Value::NumberRep& Value::number_rep() const {
  return *reinterpret_cast<const NumberRep*>(payload_.rep);
}

std::optional<std::int64_t> Value::ToInt64() const {
  if (!shared_) return payload_.integer;
  return number_rep().value.ToInt64();
}

double Value::ToDouble() const {
  return shared_ ? number_rep().value.ToDouble() : static_cast<double>(payload_.integer);
}

Decimal Value::ToDecimal() const {
  return shared_ ? number_rep().value : Decimal(payload_.integer);
}

bool Value::is_integer() const {
  return kind_ == Kind::kNumber && (!shared_ || number_rep().value.is_integer());
}

std::string Value::NumberText() const {
  return shared_ ? number_rep().text : std::to_string(payload_.integer);
}

int Value::CompareNumbers(const Value& a, const Value& b) {
  if (!a.shared_ && !b.shared_) return Three(a.payload_.integer, b.payload_.integer);
  return Decimal::Compare(a.ToDecimal(), b.ToDecimal());
}

int Value::Compare(const Value& a, const Value& b) {
  if (a.kind_ != b.kind_) return a.kind_ < b.kind_ ? -1 : 1;
  if (a.shared_ && b.shared_ && a.payload_.rep == b.payload_.rep) return 0;
  switch (a.kind_) {
    case Kind::kNull:
      return 0;
    case Kind::kBoolean:
      return Three(a.payload_.integer, b.payload_.integer);
    case Kind::kNumber:
      return CompareNumbers(a, b);
    case Kind::kString:
      return CompareBytes(a.string(), b.string());
    case Kind::kArray:
    case Kind::kSet: {
      const auto x = a.items();
      const auto y = b.items();
      for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
        if (const int order = Compare(x[i], y[i]); order != 0) return order;
      }
      return Three(static_cast<std::int64_t>(x.size()), static_cast<std::int64_t>(y.size()));
    }
    case Kind::kObject:
      break;
  }
  // Objects: pair by pair, key before value.
  const auto x = a.members();
  const auto y = b.members();
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    if (const int order = Compare(x[i].key, y[i].key); order != 0) return order;
    if (const int order = Compare(x[i].value, y[i].value); order != 0) return order;
  }
  return Three(static_cast<std::int64_t>(x.size()), static_cast<std::int64_t>(y.size()));
}

bool Value::EqualSlow(const Value& a, const Value& b) {
  switch (a.kind_) {
    case Kind::kArray:
    case Kind::kSet: {
      const auto x = a.items();
      const auto y = b.items();
      return std::equal(x.begin(), x.end(), y.begin(), y.end(), &Value::Equal);
    }
    case Kind::kObject: {
      const auto x = a.members();
      const auto y = b.members();
      return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                        [](const Member& p, const Member& q) {
                          return Equal(p.key, q.key) && Equal(p.value, q.value);
                        });
    }
    default:
      return CompareNumbers(a, b) == 0;
  }
}

const Value* Value::Find(std::string_view key) const {
  const auto all = members();
  constexpr std::size_t kFewMembers = 8;
  if (all.size() <= kFewMembers) {
    for (const Member& member : all) {
      if (member.key.kind_ == Kind::kString && member.key.payload_.rep->size == key.size() &&
          std::memcmp(member.key.payload_.rep + 1, key.data(), key.size()) == 0) {
        return &member.value;
      }
    }
    return nullptr;
  }
  std::size_t low = 0;
  std::size_t high = all.size();
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    const Value& candidate = all[middle].key;
    const int order = candidate.kind_ == Kind::kString ? CompareBytes(candidate.string(), key)
                                                       : (candidate.kind_ < Kind::kString ? -1 : 1);
    if (order == 0) return &all[middle].value;
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return nullptr;
}

const Value* Value::Find(const Value& key) const {
  switch (kind_) {
    case Kind::kObject: {
      if (key.kind_ == Kind::kString) return Find(key.string());
      const auto all = members();
      const auto it = std::lower_bound(all.begin(), all.end(), key,
                                       [](const Member& member, const Value& wanted) {
                                         return Compare(member.key, wanted) < 0;
                                       });
      return it != all.end() && it->key == key ? &it->value : nullptr;
    }
    case Kind::kArray: {
      if (key.kind_ != Kind::kNumber) return nullptr;
      const auto index = key.ToInt64();
      if (!index || *index < 0 || static_cast<std::size_t>(*index) >= size()) return nullptr;
      return &items()[static_cast<std::size_t>(*index)];
    }
    case Kind::kSet: {
      const auto all = items();
      const auto it = std::lower_bound(all.begin(), all.end(), key);
      return it != all.end() && *it == key ? &*it : nullptr;
    }
    default:
      return nullptr;
  }
}

std::uint64_t Value::Hash() const {
  const auto kind = static_cast<std::uint64_t>(kind_);
  if (!shared_) return Mix(Seed() + kind, static_cast<std::uint64_t>(payload_.integer) * 2 + 1);
  Rep* rep = payload_.rep;
  if (rep->hash != 0) return Mix(Seed() + kind, std::uint64_t{rep->hash} * 2 + 1);
  std::uint64_t hash = Seed() ^ kind;
  switch (kind_) {
    case Kind::kString:
      hash = HashBytes(reinterpret_cast<const char*>(rep + 1), rep->size);
      break;
    case Kind::kArray:
    case Kind::kSet:
      for (const Value& item : items())
        hash = Mix(hash, item.Hash());
      break;
    case Kind::kObject:
      for (const Member& member : members())
        hash = Mix(Mix(hash, member.key.Hash()), member.value.Hash());
      break;
    default: {
      // 1.0 hashes as 1.
      if (const auto small = number_rep().value.ToInt64()) return Int(*small).Hash();
      const Decimal& number = number_rep().value;
      const std::string digits = number.mantissa().ToText();
      hash = Mix(HashBytes(digits.data(), digits.size()),
                 static_cast<std::uint64_t>(number.exponent()));
      break;
    }
  }
  rep->hash = static_cast<std::uint32_t>(hash >> 32U) | 1U;
  return Mix(Seed() + kind, std::uint64_t{rep->hash} * 2 + 1);
}

}  // namespace kata_cc::policy
