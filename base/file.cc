// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace kata_cc {

Result<Bytes> ReadFile(const std::string& path, std::size_t limit) {
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY));
  struct stat status {};
  // Only a hint: pseudo files say 0, and a file may grow.
  const std::size_t hint = fstat(fd.get(), &status) == 0 && status.st_size > 0
                               ? static_cast<std::size_t>(status.st_size)
                               : 4096;
  Bytes bytes(std::min(hint, limit) + 1);
  std::size_t size = 0;
  while (true) {
    const ssize_t count = read(fd.get(), bytes.data() + size, bytes.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoError(errno, path);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
    if (size > limit) return Error(Code::kResourceExhausted, path + ": file too large");
    if (size == bytes.size()) bytes.resize(std::min(bytes.size() * 2, limit + 1));
  }
  bytes.resize(size);
  return bytes;
}

Result<void> WriteFile(const std::string& path, ByteView bytes, unsigned mode) {
  const UniqueFd fd = TRY(OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode));
  while (!bytes.empty()) {
    const ssize_t count = write(fd.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoError(errno, path);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace kata_cc
