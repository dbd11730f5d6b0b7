// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const kata_cc::Error error(kata_cc::Code::kInternal, std::string(data, data + size));
  if (error.message().size() != size) __builtin_trap();
  return 0;
}
