// SPDX-License-Identifier: Apache-2.0
// JSON from a source that is not trusted: bounded in size and depth, and no key twice in an object
// (a reader that takes the first and one that takes the last would see different documents).
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "base/result.h"

namespace kata_cc::oci {

struct JsonLimits {
  std::size_t max_bytes = std::size_t{8} << 20;
  std::size_t max_depth = 32;
};

// InvalidArgument, with the place, when text is not one JSON value within the limits. Never throws.
Result<nlohmann::json> ParseStrictJson(std::string_view text, JsonLimits limits = {});

}  // namespace kata_cc::oci
