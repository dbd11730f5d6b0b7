// SPDX-License-Identifier: Apache-2.0
// JSON Canonicalization Scheme (RFC 8785), of what KBS messages hold: no fractions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"

namespace kata_cc::agent {

// kInvalidArgument for numbers other than integers of at most 53 bits.
Result<std::string> CanonicalJson(const nlohmann::json& value);

}  // namespace kata_cc::agent
