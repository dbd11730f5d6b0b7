// SPDX-License-Identifier: Apache-2.0
// Stands for the policy engine in an agent that has none, which is only there to be measured: it
// takes no policy.
#include "policy/engine/engine.h"

namespace kata_cc::policy {

Result<std::unique_ptr<Engine>> Engine::Load(std::vector<Module>, nlohmann::json, Options) {
  return Error(Code::kUnimplemented, "no policy engine");
}
std::vector<std::string> Prints::Lines() const {
  return {};
}
void Value::Free() noexcept {}
Prints::Prints(std::vector<std::string>) {}
Value Prints::Undefined() {
  return {};
}

}  // namespace kata_cc::policy
