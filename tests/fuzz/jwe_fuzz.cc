// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/kbs/jwe.h"

// Nothing that a fuzzer makes can be encrypted to a key that it does not know.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const kata_cc::agent::TeeKey key = *kata_cc::agent::TeeKey::Generate();
  const auto jwe = kata_cc::agent::ParseJwe({reinterpret_cast<const char*>(data), size});
  if (jwe && kata_cc::agent::DecryptJwe(*jwe, key)) __builtin_trap();
  return 0;
}
