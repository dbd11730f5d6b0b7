// SPDX-License-Identifier: Apache-2.0
// CBOR (RFC 8949) as COSE messages use it: decoding into a tree, and the pieces of an encoder.
// The bytes may be anybody's. Refused: indefinite lengths, repeated keys of a map, keys that are
// neither integer nor string, text that is not UTF-8, nesting deeper than 32, anything left over.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::cbor {

struct Value {
  enum class Kind { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kBool, kNull, kFloat };

  Kind kind = Kind::kNull;
  std::uint64_t number = 0;  // The integer; of kNegative n it is -1 - n; a tag's number; a bool.
  std::string string;        // kBytes, kText.
  std::vector<Value> items;  // kArray; kTag: the one tagged value; kMap: the values,
  std::vector<Value> keys;   // whose keys these are, one for one.

  bool Is(Kind wanted) const { return kind == wanted; }
  ByteView bytes() const { return AsBytes(string); }
  std::optional<std::int64_t> Integer() const;  // None when it is none, or does not fit.
  // The value of a map's key; null when there is none, or this is no map.
  const Value* Find(std::int64_t key) const;
  const Value* Find(std::string_view key) const;
};

inline constexpr std::size_t kMaxSize = std::size_t{4} << 20;

// The one value that bytes hold. kInvalidArgument for what is refused, and for more than kMaxSize.
Result<Value> Decode(ByteView bytes);

// The shortest encodings, to be put one after the other.
class Encoder {
 public:
  Encoder& Integer(std::int64_t value);
  Encoder& ByteString(ByteView value);
  Encoder& Text(std::string_view value);
  Encoder& Array(std::size_t count);  // count items follow.
  Encoder& Map(std::size_t count);    // count pairs follow.
  Encoder& Tag(std::uint64_t number);
  Encoder& Raw(ByteView encoded);
  Bytes Take() && { return std::move(out_); }

 private:
  void Head(unsigned major, std::uint64_t value);
  Bytes out_;
};

}  // namespace kata_cc::cbor
