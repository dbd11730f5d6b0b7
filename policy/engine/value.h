// SPDX-License-Identifier: Apache-2.0
// Value: an immutable Rego value in 16 bytes. Copies share; counts are not atomic, so values that
// share anything stay with one thread at a time (an Engine and its callers do).
// Order and equality are Rego's: null < boolean < number < string < array < object < set; numbers
// by value (1 == 1.0), strings by bytes, composites element by element. Sets and the keys of
// objects are kept sorted: lookup is O(log n), iteration is in order and the same everywhere.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "policy/engine/number.h"

namespace kata_cc::policy {

enum class Kind : std::uint8_t { kNull, kBoolean, kNumber, kString, kArray, kObject, kSet };

// "null", "boolean", "number", "string", "array", "object", "set".
std::string_view KindName(Kind kind);

struct Member;

class Value {
 public:
  Value() noexcept = default;  // null
  Value(const Value& other) noexcept
      : payload_(other.payload_), kind_(other.kind_), shared_(other.shared_) {
    if (shared_) ++payload_.rep->references;
  }
  Value(Value&& other) noexcept
      : payload_(other.payload_), kind_(other.kind_), shared_(other.shared_) {
    other.shared_ = false;
    other.kind_ = Kind::kNull;
  }
  Value& operator=(const Value& other) noexcept {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Value() {
    if (shared_ && --payload_.rep->references == 0) Free();
  }
  // As = Value(), in place.
  void Clear() noexcept {
    if (shared_ && --payload_.rep->references == 0) Free();
    shared_ = false;
    kind_ = Kind::kNull;
  }
  void swap(Value& other) noexcept {
    std::swap(payload_, other.payload_);
    std::swap(kind_, other.kind_);
    std::swap(shared_, other.shared_);
  }

  static Value Bool(bool value);
  static Value Int(std::int64_t value);
  static Value Number(const BigInt& value);
  static Value Number(const Decimal& value);
  static Value Double(double value);  // Finite.
  // A number that prints as text, which is JSON's; nothing if it is malformed or too long.
  static std::optional<Value> NumberFromText(std::string_view text);
  static Value String(std::string_view value);
  static Value Array(std::vector<Value> items);
  static Value Array(std::span<const Value> items);
  static Value Set(std::vector<Value> items);        // Sorts, drops duplicates.
  static Value Object(std::vector<Member> members);  // Sorts; of equal keys the last stays.
  // For what is strictly ascending already.
  static Value SortedSet(std::vector<Value> items);
  static Value SortedObject(std::vector<Member> members);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_boolean() const { return kind_ == Kind::kBoolean; }
  bool is_number() const { return kind_ == Kind::kNumber; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_array() const { return kind_ == Kind::kArray; }
  bool is_object() const { return kind_ == Kind::kObject; }
  bool is_set() const { return kind_ == Kind::kSet; }
  bool is_true() const { return kind_ == Kind::kBoolean && payload_.integer != 0; }
  bool is_false() const { return kind_ == Kind::kBoolean && payload_.integer == 0; }

  // The kind must fit in all of these.
  bool boolean() const { return payload_.integer != 0; }
  std::string_view string() const {
    return {reinterpret_cast<const char*>(payload_.rep + 1), payload_.rep->size};
  }
  // Elements of an array or a set.
  std::span<const Value> items() const;
  std::span<const Member> members() const;
  std::size_t size() const {  // Elements, members, or bytes of a string.
    return payload_.rep->size;
  }

  // A number's value. small_int: it is a 64-bit integer in the fast form.
  bool is_small_int() const { return kind_ == Kind::kNumber && !shared_; }
  std::int64_t small_int() const { return payload_.integer; }
  std::optional<std::int64_t> ToInt64() const;  // Also 1.0 and 1e3; none for 1.5 or 2^64.
  double ToDouble() const;
  Decimal ToDecimal() const;
  bool is_integer() const;  // A number without a fraction, of any size.
  std::string NumberText() const;

  // The member of an object, the element of an array (by an integer), the element of a set
  // (itself), or null. The pointer lives as long as this value.
  const Value* Find(const Value& key) const;
  const Value* Find(std::string_view key) const;  // Objects only.
  bool Contains(const Value& element) const {     // Sets only.
    return Find(element) != nullptr;
  }

  // 0 for atoms, 1 + the deepest element for composites.
  std::uint32_t depth() const {
    return shared_ && kind_ >= Kind::kArray ? payload_.rep->shape >> kWeightBits : 0;
  }
  // About how many atoms a walk over it meets, also those it shares with itself: what comparing it
  // or writing it out costs. At most 4,194,303, which stands for all above.
  std::uint32_t weight() const {
    return shared_ && kind_ >= Kind::kString ? payload_.rep->shape & kMostWeight : 1;
  }
  // Deeper or heavier than any value may be. The evaluator ends at one.
  bool is_too_large() const;
  std::uint64_t Hash() const;  // Equal values, equal hashes. Differs from process to process.

  static int Compare(const Value& a, const Value& b);
  friend bool operator==(const Value& a, const Value& b) { return Equal(a, b); }
  friend std::strong_ordering operator<=>(const Value& a, const Value& b) {
    return Compare(a, b) <=> 0;
  }
  static bool Equal(const Value& a, const Value& b) {
    if (a.kind_ != b.kind_) return false;
    if (!a.shared_ && !b.shared_)
      return a.kind_ == Kind::kNull || a.payload_.integer == b.payload_.integer;
    if (a.shared_ && b.shared_) {
      if (a.payload_.rep == b.payload_.rep) return true;
      if (a.kind_ != Kind::kNumber && a.payload_.rep->size != b.payload_.rep->size) return false;
      if (a.kind_ == Kind::kString) {
        return std::memcmp(a.payload_.rep + 1, b.payload_.rep + 1, a.payload_.rep->size) == 0;
      }
    }
    return EqualSlow(a, b);
  }

  // The same object in memory, or the same atom: implies equality, costs nothing.
  bool Identical(const Value& other) const {
    return kind_ == other.kind_ && shared_ == other.shared_ &&
           (kind_ == Kind::kNull || payload_.integer == other.payload_.integer);
  }

 private:
  struct Rep {
    std::uint32_t references;
    std::uint32_t size;
    std::uint32_t hash;  // 0: not computed yet.
    // Depth above kWeightBits, weight below. Numbers: unused.
    std::uint32_t shape;
  };
  static constexpr std::uint32_t kWeightBits = 22;
  static constexpr std::uint32_t kMostWeight = (1U << kWeightBits) - 1;
  static constexpr std::uint32_t kMostDepth = (1U << (32 - kWeightBits)) - 1;
  struct NumberRep;
  union Payload {
    std::int64_t integer;
    Rep* rep;
  };

  Value(Kind kind, Rep* rep) noexcept : kind_(kind), shared_(true) { payload_.rep = rep; }
  static Rep* NewRep(std::size_t size, std::size_t bytes);
  template <typename T>
  static Value Composite(Kind kind, std::span<T> parts);
  static Value NewNumber(Decimal value, std::string text);
  const NumberRep& number_rep() const;
  static bool EqualSlow(const Value& a, const Value& b);
  static int CompareNumbers(const Value& a, const Value& b);
  void Free() noexcept;

  Payload payload_ = {0};
  Kind kind_ = Kind::kNull;
  bool shared_ = false;  // payload_ is a counted rep.
};

struct Member {
  Value key;
  Value value;
};

constexpr std::size_t kMaxJsonDepth = 512;

inline bool Value::is_too_large() const {
  return depth() > kMaxJsonDepth || weight() >= kMostWeight;
}
inline std::span<const Value> Value::items() const {
  return {reinterpret_cast<const Value*>(payload_.rep + 1), payload_.rep->size};
}
inline std::span<const Member> Value::members() const {
  return {reinterpret_cast<const Member*>(payload_.rep + 1), payload_.rep->size};
}
inline Value Value::Bool(bool value) {
  Value out;
  out.kind_ = Kind::kBoolean;
  out.payload_.integer = value ? 1 : 0;
  return out;
}
inline Value Value::Int(std::int64_t value) {
  Value out;
  out.kind_ = Kind::kNumber;
  out.payload_.integer = value;
  return out;
}

struct ValueHash {
  std::size_t operator()(const Value& value) const { return value.Hash(); }
};

// Bytes that this thread's values hold now (those freed by another thread than their maker's stay
// counted); differences of it bound the memory of an evaluation.
std::int64_t LiveBytes();

// One JSON text, nothing after it; a repeated key's last value stays. InvalidArgument with the
// offset. Numbers keep their text. Linear in the text.
Result<Value> ParseJson(std::string_view text, std::size_t max_depth = kMaxJsonDepth);
// Copies. InvalidArgument: deeper than max_depth, binary or discarded values, no finite number.
Result<Value> FromJson(const nlohmann::json& json, std::size_t max_depth = kMaxJsonDepth);
// Sets become sorted arrays; keys that are no strings their JSON text; numbers beyond 64 bits
// become doubles (ToJsonText keeps them).
nlohmann::json ToJson(const Value& value);
// Compact JSON as Go's encoder writes it: <, >, & and U+2028/9 escaped.
std::string ToJsonText(const Value& value);
// JSON with a JSON string's quotes and escapes appended to out (no HTML escapes).
void AppendQuoted(std::string_view text, std::string& out);
// A Rego term: {1, 2}, set(), {"a": [1, 2]}; top-level strings are quoted too.
std::string ToTermText(const Value& value);

}  // namespace kata_cc::policy
