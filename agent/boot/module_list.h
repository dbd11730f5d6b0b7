// SPDX-License-Identifier: Apache-2.0
// The list of kernel modules in the initrd: a line each, `[@group ][?]path [parameters]`, the path
// relative to the list's directory; `?` when the module may find no device (ENODEV). `#` comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::agent {

struct ModuleEntry {
  std::string path;
  std::string parameters;
  std::string group;  // Loaded when the group is needed; empty: always.
  bool optional = false;
};

Result<std::vector<ModuleEntry>> ParseModuleList(std::string_view text);

}  // namespace kata_cc::agent
