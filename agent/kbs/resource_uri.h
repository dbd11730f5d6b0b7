// SPDX-License-Identifier: Apache-2.0
// ResourceUri: "kbs[+plugin]://[host]/segment/segment...[?query]", the name of a secret in a key
// broker (CoCo). The host in it is not used: where the broker is, the initdata says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::agent {

struct ResourceUri {
  std::string plugin = "resource";
  std::string host;
  std::vector<std::string> path;  // Each of [A-Za-z0-9._-], and neither "." nor "..".
  std::string query;

  std::string HttpPath() const;  // "/kbs/v0/resource/default/key/1"
};

// At most 1 KiB.
Result<ResourceUri> ParseResourceUri(std::string_view text);

// Whether text may be one segment of a path.
bool IsResourceSegment(std::string_view text);

}  // namespace kata_cc::agent
