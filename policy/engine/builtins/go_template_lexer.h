// SPDX-License-Identifier: Apache-2.0
// Tokens inside the {{ }} of a template.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/engine/value.h"

namespace kata_cc::policy::go_template {

struct Token {
  enum class Kind { kEnd, kWord, kField, kVariable, kLiteral, kSymbol, kSpace } kind = Kind::kEnd;
  std::string text;
  Value literal;
};

// Spaces count, since they separate operands; none at the ends.
Result<std::vector<Token>> LexAction(std::string_view text);

}  // namespace kata_cc::policy::go_template
