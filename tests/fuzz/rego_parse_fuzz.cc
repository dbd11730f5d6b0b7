// SPDX-License-Identifier: Apache-2.0
// Any bytes as a policy, v0 and v1, parsed and compiled.
#include <cstddef>
#include <cstdint>
#include <string>

#include "policy/engine/engine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using kata_cc::policy::Engine;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto engine = Engine::Load({{"fuzz.rego", text}}, nlohmann::json::object());
  if (!engine && engine.error().message().empty()) __builtin_trap();
  return 0;
}
