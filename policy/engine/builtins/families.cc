// SPDX-License-Identifier: Apache-2.0
// The list of the builtin families. A new one: declare it, add it here.
#include "policy/engine/builtins/families.h"

#include <array>

namespace kata_cc::policy {

std::span<const BuiltinFamily> DefaultFamilies() {
  static const std::array kFamilies = {
      BuiltinFamily{"operators", OperatorBuiltins()},
  };
  return kFamilies;
}

}  // namespace kata_cc::policy
