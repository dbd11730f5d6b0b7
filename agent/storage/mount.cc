// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "agent/storage/beneath.h"
#include "base/log.h"

namespace kata_cc::agent {
namespace {

struct FlagOption {
  const char* name;
  unsigned long flag;
  bool clear;
};

constexpr std::array kFlagOptions = {
    FlagOption{"defaults", 0, false},
    FlagOption{"ro", MS_RDONLY, false},
    FlagOption{"rw", MS_RDONLY, true},
    FlagOption{"nosuid", MS_NOSUID, false},
    FlagOption{"suid", MS_NOSUID, true},
    FlagOption{"nodev", MS_NODEV, false},
    FlagOption{"dev", MS_NODEV, true},
    FlagOption{"noexec", MS_NOEXEC, false},
    FlagOption{"exec", MS_NOEXEC, true},
    FlagOption{"sync", MS_SYNCHRONOUS, false},
    FlagOption{"dirsync", MS_DIRSYNC, false},
    FlagOption{"noatime", MS_NOATIME, false},
    FlagOption{"nodiratime", MS_NODIRATIME, false},
    FlagOption{"relatime", MS_RELATIME, false},
    FlagOption{"strictatime", MS_STRICTATIME, false},
};

constexpr std::array kRefused = {"bind",    "rbind",    "move",       "remount",
                                 "shared",  "rshared",  "slave",      "rslave",
                                 "private", "rprivate", "unbindable", "runbindable"};

}  // namespace

Result<MountOptions> ParseMountOptions(const std::vector<std::string>& options) {
  MountOptions out;
  for (const std::string& option : options) {
    if (option.empty() || option.find(',') != std::string::npos ||
        option.find('\0') != std::string::npos) {
      return Error(Code::kInvalidArgument, "mount: an option is empty, or holds a comma");
    }
    if (std::find(kRefused.begin(), kRefused.end(), option) != kRefused.end()) {
      return Error(Code::kInvalidArgument, "mount: option " + option + ": not for a storage");
    }
    const auto known = std::find_if(kFlagOptions.begin(), kFlagOptions.end(),
                                    [&](const FlagOption& one) { return option == one.name; });
    if (known == kFlagOptions.end()) {
      if (!out.data.empty()) out.data += ',';
      out.data += option;
    } else if (known->clear) {
      out.flags &= ~known->flag;
    } else {
      out.flags |= known->flag;
    }
  }
  return out;
}

Result<ScopedMount> ScopedMount::Mount(const std::string& source, const UniqueFd& target,
                                       const std::string& type, const MountOptions& options) {
  const std::string link = PathOf(target);
  // The target by descriptor, for the mount; by its present name, for its end.
  std::string path(PATH_MAX, '\0');
  const ssize_t n = ::readlink(link.c_str(), path.data(), path.size());
  if (n < 0) return ErrnoError(errno, "mount: target");
  path.resize(static_cast<std::size_t>(n));
  if (::mount(source.c_str(), link.c_str(), type.c_str(), options.flags, options.data.c_str()) !=
      0) {
    return ErrnoError(errno, "mount " + type);
  }
  return ScopedMount(std::move(path));
}

ScopedMount::~ScopedMount() {
  if (path_.empty()) return;
  if (::umount2(path_.c_str(), UMOUNT_NOFOLLOW) == 0) return;
  const int error = errno;
  ::umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  Log(LogLevel::kWarn, "unmounted lazily",
      {{field::kPath, path_}, {field::kError, ErrnoError(error, "umount").message()}});
}

Result<StagedBind> StagedBind::Create(const UniqueFd& source, std::string path) {
  struct stat status = {};
  if (::fstat(source.get(), &status) != 0) return ErrnoError(errno, "bind");
  const bool is_directory = S_ISDIR(status.st_mode);
  if (!is_directory && !S_ISREG(status.st_mode)) {
    return Error(Code::kInvalidArgument, "bind: neither a file nor a directory");
  }
  StagedBind bind("", is_directory);
  if (is_directory) {
    if (::mkdir(path.c_str(), 0700) != 0) return ErrnoError(errno, "bind: mkdir");
  } else {
    const UniqueFd file = TRY(OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  }
  bind.path_ = std::move(path);
  if (::mount(PathOf(source).c_str(), bind.path_.c_str(), nullptr, MS_BIND | MS_REC, nullptr) !=
      0) {
    return ErrnoError(errno, "bind");
  }
  return bind;
}

StagedBind::~StagedBind() {
  if (path_.empty()) return;
  ::umount2(path_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  if (is_directory_) {
    ::rmdir(path_.c_str());
  } else {
    ::unlink(path_.c_str());
  }
}

}  // namespace kata_cc::agent
