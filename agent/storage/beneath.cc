// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <memory>

#include "base/retry.h"

namespace kata_cc::agent {
namespace {

Result<UniqueFd> OpenAt(const UniqueFd& root, const std::string& relative, int flags) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const char* const path = relative.empty() ? "." : relative.c_str();
  UniqueFd fd(static_cast<int>(
      RetryOnEintr([&] { return ::syscall(SYS_openat2, root.get(), path, &how, sizeof(how)); })));
  if (fd.valid()) return fd;
  if (errno == ELOOP || errno == EXDEV || errno == ENOTDIR) {
    return Error(Code::kInvalidArgument, relative + ": a link or a file is on the way");
  }
  return ErrnoError(errno, relative);
}

constexpr int kDeepest = 16;  // Each level holds a descriptor.

void Remove(const UniqueFd& parent, const std::string& name, int level) {
  if (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno != EISDIR || level > kDeepest) return;
  if (const auto directory = OpenAt(parent, name, O_RDONLY | O_DIRECTORY)) {
    const auto names = NamesIn(*directory);
    for (const std::string& inside : names ? *names : std::vector<std::string>())
      Remove(*directory, inside, level + 1);
  }
  ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
}

}  // namespace

Result<std::string> RelativeTo(std::string_view root, std::string_view path) {
  const auto refuse = [&](const char* why) {
    return Error(Code::kInvalidArgument, "path: " + std::string(why));
  };
  if (path.size() >= PATH_MAX) return refuse("too long");
  if (path.find('\0') != std::string_view::npos) return refuse("holds a NUL byte");
  if (!path.starts_with(root) || path.size() <= root.size() || path[root.size()] != '/') {
    return refuse("not below the directory that it must be in");
  }
  const std::string_view relative = path.substr(root.size() + 1);
  std::string_view rest = relative;
  while (true) {
    const std::size_t end = rest.find('/');
    const std::string_view component = rest.substr(0, end);
    if (component.empty() || component == "." || component == "..") {
      return refuse("holds an empty component, `.` or `..`");
    }
    if (component.size() > NAME_MAX) return refuse("holds a name that is too long");
    if (end == std::string_view::npos) return std::string(relative);
    rest.remove_prefix(end + 1);
  }
}

Result<UniqueFd> OpenBeneath(const UniqueFd& root, const std::string& relative, int flags) {
  UniqueFd fd = TRY(OpenAt(root, relative, flags == 0 ? O_PATH : flags));
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, relative);
  if (S_ISLNK(status.st_mode)) {  // O_PATH with O_NOFOLLOW opens the link itself.
    return Error(Code::kInvalidArgument, relative + ": is a symbolic link");
  }
  return fd;
}

Result<UniqueFd> MakeDirectoriesBeneath(const UniqueFd& root, const std::string& relative,
                                        mode_t mode) {
  UniqueFd current = TRY(OpenAt(root, "", O_PATH | O_DIRECTORY));
  std::string_view rest = relative;
  while (!rest.empty()) {
    const std::size_t end = rest.find('/');
    const std::string component(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (::mkdirat(current.get(), component.c_str(), mode) != 0 && errno != EEXIST) {
      return ErrnoError(errno, "mkdir " + component);
    }
    current = TRY(OpenAt(current, component, O_PATH | O_DIRECTORY));
  }
  return current;
}

Result<std::vector<std::string>> NamesIn(const UniqueFd& directory) {
  UniqueFd own = TRY(OpenAt(directory, "", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), ::closedir);
  if (!stream) return ErrnoError(errno, "directory");
  (void)own.Release();
  std::vector<std::string> names;
  while (const dirent* const entry = ::readdir(stream.get())) {
    std::string name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  return names;
}

void RemoveBeneath(const UniqueFd& parent, const std::string& name) {
  Remove(parent, name, 0);
}

std::string PathOf(const UniqueFd& fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd.get());
}

}  // namespace kata_cc::agent
