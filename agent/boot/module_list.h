// SPDX-License-Identifier: Apache-2.0
// The list of kernel modules in the initrd: a line each, `path [parameters]`, the path relative to
// the list's directory; a leading `?` when the module may find no device (ENODEV). `#` comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::agent {

struct ModuleEntry {
  std::string path;
  std::string parameters;
  bool optional = false;
};

Result<std::vector<ModuleEntry>> ParseModuleList(std::string_view text);

}  // namespace kata_cc::agent
