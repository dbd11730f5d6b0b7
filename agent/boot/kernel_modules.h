// SPDX-License-Identifier: Apache-2.0
// KernelModules: those that the initrd carries, loaded when they are needed first. Checking one's
// signature takes the kernel millions of instructions, and most pods need few of them.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/boot/module_list.h"
#include "base/result.h"
#include "base/synced.h"

namespace kata_cc::agent {

// Any thread.
class KernelModules {
 public:
  // Reads <dir>/kata-cc.list.
  static Result<std::unique_ptr<KernelModules>> Open(std::string dir);

  // Loads the modules of a group, in the list's order, once. "": those of no group. A group that
  // the list does not name has nothing to load: the kernel has it built in, or what needs it will
  // say.
  Result<void> Need(std::string_view group);

 private:
  KernelModules(std::string dir, std::vector<ModuleEntry> entries)
      : dir_(std::move(dir)), entries_(std::move(entries)) {}

  std::string dir_;
  std::vector<ModuleEntry> entries_;
  Synced<std::set<std::string>> loaded_;  // Held while loading: who needs it, too, has to wait.
};

}  // namespace kata_cc::agent
