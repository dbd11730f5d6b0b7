// SPDX-License-Identifier: Apache-2.0
// URLs as Go's net/url reads them: queries, and the parts of a URI.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::policy {

std::string EscapeQuery(std::string_view text);  // Space is "+".
// FailedPrecondition: invalid URL escape "%zz".
Result<std::string> UnescapeQuery(std::string_view text);

struct Url {
  std::string scheme, opaque, host, port, path, fragment;
  std::string_view raw_path, raw_query;  // Of the parsed text.
};

// FailedPrecondition, with Go's text: parse "://": missing protocol scheme.
Result<Url> ParseUrl(std::string_view text);

}  // namespace kata_cc::policy
