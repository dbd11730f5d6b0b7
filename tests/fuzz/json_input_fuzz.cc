// SPDX-License-Identifier: Apache-2.0
// Any bytes as JSON: what parses reads back the same from its own text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "policy/engine/value.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kata_cc::policy;
  const auto value = ParseJson({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto again = ParseJson(ToJsonText(*value));
  if (!again || *again != *value || again->Hash() != value->Hash()) __builtin_trap();
  (void)ToTermText(*value);
  (void)FromJson(ToJson(*value));
  return 0;
}
