// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/attest/initdata.h"

// The first byte chooses: a device's content, or a document as it was in one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const kata_cc::ByteView bytes(data + 1, size - 1);
  if (data[0] % 2 == 0) {
    const auto document = kata_cc::agent::UnpackInitdataImage(bytes);
    if (document && document->size() > kata_cc::agent::kMaxInitdataBytes) __builtin_trap();
    if (document) static_cast<void>(kata_cc::agent::ParseInitdata(*document));
    return 0;
  }
  const auto initdata =
      kata_cc::agent::ParseInitdata({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (initdata && initdata->digest.size() < 32) __builtin_trap();
  return 0;
}
