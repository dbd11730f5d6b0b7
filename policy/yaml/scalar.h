// SPDX-License-Identifier: Apache-2.0
// What a plain YAML scalar means.
#pragma once

#include <optional>
#include <string_view>

#include "policy/engine/value.h"

namespace kata_cc::policy_yaml {

// Null, a boolean or a number; the text itself as a string if it is none. Nothing for infinities
// and NaN, which JSON does not have.
std::optional<policy::Value> ResolvePlain(std::string_view text);

// Whether a reader of YAML 1.1 or 1.2 would take the plain text for something else than a string.
bool ReadsAsOther(std::string_view text);

}  // namespace kata_cc::policy_yaml
