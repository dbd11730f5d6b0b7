// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/kernel_modules.h"

#include <fcntl.h>
#include <linux/module.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

Result<void> LoadModule(const std::string& path, const ModuleEntry& entry) {
  const UniqueFd file = TRY(OpenFile(path, O_RDONLY));
  const bool compressed = path.ends_with(".xz") || path.ends_with(".zst") || path.ends_with(".gz");
  const int flags = compressed ? MODULE_INIT_COMPRESSED_FILE : 0;
  if (::syscall(SYS_finit_module, file.get(), entry.parameters.c_str(), flags) == 0) return {};
  if (errno == EEXIST) return {};
  if (entry.optional && (errno == ENODEV || errno == ENXIO)) return {};
  return ErrnoError(errno, "load module " + entry.path);
}

}  // namespace

Result<std::unique_ptr<KernelModules>> KernelModules::Open(std::string dir) {
  const std::string text =
      AsString(TRY_CONTEXT(ReadFile(dir + "/kata-cc.list", 64U << 10), "module list"));
  std::vector<ModuleEntry> entries = TRY(ParseModuleList(text));
  return std::unique_ptr<KernelModules>(new KernelModules(std::move(dir), std::move(entries)));
}

Result<void> KernelModules::Need(std::string_view group) {
  auto loaded = loaded_.Lock();
  for (const ModuleEntry& entry : entries_) {
    if (entry.group != group || loaded->contains(entry.path)) continue;
    const bool absolute = entry.path.starts_with('/');
    TRY(LoadModule(absolute ? entry.path : dir_ + "/" + entry.path, entry));
    loaded->insert(entry.path);
  }
  return {};
}

}  // namespace kata_cc::agent
