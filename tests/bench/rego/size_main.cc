// SPDX-License-Identifier: Apache-2.0
// What the policy engine adds to a static program that has JSON already: this, with WITH_ENGINE and
// without.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/result.h"
#ifdef WITH_ENGINE
#include "policy/engine/engine.h"
#endif

namespace kata_cc {
namespace {

Result<nlohmann::json> Answer(const char* policy, nlohmann::json input) {
  if (input.is_discarded()) return Error(Code::kInvalidArgument, "input");
#ifdef WITH_ENGINE
  const auto engine = TRY(policy::Engine::Load({{"policy.rego", policy}}, {{"pstate", input}}));
  TRY(engine->PatchData(input["ops"]));
  const auto answer = TRY(engine->Query("agent_policy.allow", input));
  const auto reasons = TRY(engine->Explain("agent_policy.allow", input));
  return nlohmann::json{answer.value.value_or(nullptr), reasons, answer.prints.Lines()};
#else
  input["policy"] = policy;
  return input;
#endif
}

}  // namespace
}  // namespace kata_cc

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const auto answer =
      kata_cc::Answer(argv[1], nlohmann::json::parse(argv[2], nullptr, /*allow_exceptions=*/false));
  std::puts(answer ? answer->dump().c_str() : answer.error().message().c_str());
  return answer ? 0 : 1;
}
