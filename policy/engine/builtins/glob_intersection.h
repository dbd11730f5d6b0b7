// SPDX-License-Identifier: Apache-2.0
// Whether some text matches two globs of the kind that regex.globs_match takes: characters, '.',
// sets [a-z0] and the flags * and + after one of these; backslash escapes.
#pragma once

#include <string_view>

#include "base/result.h"

namespace kata_cc::policy {

// FailedPrecondition: a malformed glob. Time and memory are the product of the lengths.
Result<bool> GlobsIntersect(std::string_view a, std::string_view b);

}  // namespace kata_cc::policy
