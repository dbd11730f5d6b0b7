// SPDX-License-Identifier: Apache-2.0
// Lint: what a policy's author wants to know before it is used.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "policy/engine/engine.h"

namespace kata_cc::policy {

struct LintOptions {
  std::string package = "agent_policy";  // The one that is asked.
  std::vector<std::string> asked;        // Its rules that are.
};

// Findings, "name:line:column: text", in the order of the text: rules named like a request that is
// none, rules that no rule uses and nobody asks for, definitions that repeat or contradict each
// other, bodies, else branches and defaults that nothing reaches, constant patterns that are no
// regular expressions. Decided from constants alone: what is not found may still be wrong.
// Linear in the policy. InvalidArgument as Engine::Load.
Result<std::vector<std::string>> Lint(const std::vector<Module>& modules, const LintOptions& lint,
                                      const Options& options);

}  // namespace kata_cc::policy
