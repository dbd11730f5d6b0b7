// SPDX-License-Identifier: Apache-2.0
// What the verbs of Go's fmt make of an argument.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/engine/value.h"

namespace kata_cc::policy {

struct FormatArgument {
  enum class Kind { kInt, kBigInt, kFloat, kString };

  Kind kind = Kind::kString;
  BigInt integer;
  double real = 0;
  std::string text;
};

struct FormatFlags {
  bool plus = false, minus = false, sharp = false, space = false, zero = false;
  std::optional<int> width, precision;
};

FormatArgument MakeFormatArgument(const Value& value);

// Also for verbs that do not fit: %!d(string=x).
std::string VerbText(const FormatArgument& argument, std::string_view verb,
                     const FormatFlags& flags);
// "int64=1", as in the notes on misuse.
std::string TypedText(const FormatArgument& argument);

}  // namespace kata_cc::policy
