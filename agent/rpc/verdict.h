// SPDX-License-Identifier: Apache-2.0
// Verdict: what a rule's answer means, read strictly.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "policy/engine/engine.h"

namespace kata_cc::agent {

// An allowed request.
struct Verdict {
  nlohmann::json operations = nlohmann::json::array();  // RFC 6902, on /pstate/... only.
  // CreateContainer: the value that the operations add under the container's id, which names the
  // container of the policy that it matches, and how many of that may live at a time.
  std::optional<nlohmann::json> entry;
  std::int64_t max_instances = 1;
};

// PermissionDenied: "<name> is blocked by policy: <why> <prints>".
Error Denial(const std::string& name, std::string_view why, const std::vector<std::string>& prints);

// The verdict in a rule's answer: true, or {"allowed": true, "ops": [...], "max_instances": n}.
// False, undefined, other types and malformed objects are denials.
Result<Verdict> ReadVerdict(const std::string& name, const policy::Answer& answer,
                            std::string_view container_id);

}  // namespace kata_cc::agent
