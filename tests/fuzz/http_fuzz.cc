// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/http/message.h"

// The first byte chooses: a workload's request, or a server's response, whole or still coming.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const kata_cc::agent::http::Limits limits;
  if (data[0] % 3 == 0) {
    const auto request = kata_cc::agent::http::ParseRequest(bytes);
    if (request && *request && !(*request)->path.starts_with('/')) __builtin_trap();
    if (request && *request && (*request)->body.size() > limits.body_bytes) __builtin_trap();
    return 0;
  }
  const auto response = kata_cc::agent::http::ParseResponse(bytes, data[0] % 3 == 1);
  if (data[0] % 3 == 1 && response && !*response) __builtin_trap();  // At the end: it is all there.
  if (response && *response && (*response)->body.size() > limits.body_bytes) __builtin_trap();
  return 0;
}
