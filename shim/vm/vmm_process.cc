// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/vmm_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <vector>

#include "base/retry.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc::shim {
namespace {

std::vector<pid_t> Pids(const std::string& proc) {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(proc.c_str()), ::closedir);
  if (dir == nullptr) return pids;
  while (const dirent* entry = ::readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe) own DIR
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc() && end == name.data() + name.size()) pids.push_back(pid);
  }
  std::sort(pids.rbegin(), pids.rend());  // It has just been started: likely among the last.
  return pids;
}

bool HasArgument(const std::string& cmdline_path, const std::string& argument) {
  const Result<UniqueFd> file = OpenFile(cmdline_path, O_RDONLY);
  if (!file) return false;
  std::string text(65536, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got =
        RetryOnEintr([&] { return ::read(file->get(), text.data() + size, text.size() - size); });
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  const std::string whole = '\0' + argument + '\0';
  return text.find(whole) != std::string::npos;
}

}  // namespace

Result<VmmProcess> FindVmmProcess(const std::string& uuid, const std::string& proc) {
  for (const pid_t pid : Pids(proc)) {
    const std::string cmdline = proc + "/" + std::to_string(pid) + "/cmdline";
    if (!HasArgument(cmdline, uuid)) continue;
    UniqueFd pidfd(::pidfd_open(pid, 0));
    if (!pidfd.valid()) continue;  // Ended just now.
    // Read again with the pidfd open: the pid cannot have gone to another process in between.
    if (HasArgument(cmdline, uuid)) return VmmProcess{pid, std::move(pidfd)};
  }
  return Error(Code::kNotFound, "vmm process: " + uuid + ": none has it on its command line");
}

}  // namespace kata_cc::shim
