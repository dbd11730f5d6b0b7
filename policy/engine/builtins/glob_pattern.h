// SPDX-License-Identifier: Apache-2.0
// Glob patterns as an RE2 expression. The language is that of github.com/gobwas/glob, which OPA's
// glob.match takes: * ** ? [abc] [!a-z] {a,b} and backslash; separators limit * and ?.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::policy {

// An expression for a full match. separators: one character of UTF-8 each.
// InvalidArgument for a malformed pattern. Linear in the pattern.
Result<std::string> GlobToRegex(std::string_view pattern,
                                const std::vector<std::string_view>& separators);

// The pattern that matches only `text`.
std::string QuoteGlob(std::string_view text);

}  // namespace kata_cc::policy
