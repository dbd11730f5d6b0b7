// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/module_list.h"

#include <cstddef>

namespace kata_cc::agent {

Result<std::vector<ModuleEntry>> ParseModuleList(std::string_view text) {
  std::vector<ModuleEntry> entries;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = line.substr(0, line.find('#'));
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t") - first + 1);
    ModuleEntry entry;
    if (line.front() == '@') {
      const std::size_t space = line.find_first_of(" \t");
      if (space == std::string_view::npos || space == 1) {
        return Error(Code::kInvalidArgument,
                     "module list: line " + std::to_string(number) + ": not a group and a path");
      }
      entry.group = line.substr(1, space - 1);
      line.remove_prefix(line.find_first_not_of(" \t", space));
    }
    if (line.front() == '?') {
      entry.optional = true;
      line.remove_prefix(1);
    }
    const std::size_t space = line.find_first_of(" \t");
    entry.path = line.substr(0, space);
    if (space != std::string_view::npos) {
      entry.parameters = line.substr(line.find_first_not_of(" \t", space));
    }
    if (entry.path.empty() || entry.path.find("..") != std::string::npos) {
      return Error(Code::kInvalidArgument,
                   "module list: line " + std::to_string(number) + ": not a module's path");
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

}  // namespace kata_cc::agent
