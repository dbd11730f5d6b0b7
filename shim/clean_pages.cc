// SPDX-License-Identifier: Apache-2.0
#include "shim/clean_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

namespace kata_cc::shim {
namespace {

struct Mapping {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  bool droppable = false;  // Private, of a file, not writable.
};

// A mapping's first line in smaps: "begin-end rwxp offset device inode   path".
bool ParseHeader(const std::string& line, Mapping* mapping) {
  unsigned long begin = 0;
  unsigned long end = 0;
  char permissions[5] = {};
  if (std::sscanf(line.c_str(), "%lx-%lx %4s ", &begin, &end, permissions) != 3) return false;
  const bool of_file = line.find(" /") != std::string::npos;
  *mapping = {begin, end, of_file && permissions[1] == '-' && permissions[3] == 'p'};
  return true;
}

}  // namespace

Result<std::size_t> ResidentFileBytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  if (!(statm >> size >> resident >> shared))
    return Error(Code::kUnavailable, "/proc/self/statm: not readable");
  return shared * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Result<void> DropCleanPages() {
  std::ifstream smaps("/proc/self/smaps");
  if (!smaps) return ErrnoError(errno, "/proc/self/smaps");
  Mapping mapping;
  for (std::string line; std::getline(smaps, line);) {
    if (ParseHeader(line, &mapping)) continue;
    // Anonymous pages were written to, by relocation or before the mapping became read-only.
    unsigned long anonymous_kib = 0;
    if (std::sscanf(line.c_str(), "Anonymous: %lu kB", &anonymous_kib) != 1) continue;
    if (!mapping.droppable || anonymous_kib != 0) continue;
    void* const begin =
        reinterpret_cast<void*>(mapping.begin);  // NOLINT(performance-no-int-to-ptr)
    if (::madvise(begin, mapping.end - mapping.begin, MADV_DONTNEED) != 0 && errno != EINVAL)
      return ErrnoError(errno, "madvise");
  }
  return {};
}

}  // namespace kata_cc::shim
