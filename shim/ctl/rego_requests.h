// SPDX-License-Identifier: Apache-2.0
// The names that the agent asks of a policy.
#pragma once

#include <string>
#include <vector>

namespace kata_cc::ctl {

// The request types of the agent's service, from its descriptor, and the policy's settings.
std::vector<std::string> RulesThatAreAsked();

}  // namespace kata_cc::ctl
