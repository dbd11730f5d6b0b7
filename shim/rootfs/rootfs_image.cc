// SPDX-License-Identifier: Apache-2.0
#include "shim/rootfs/rootfs_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <string_view>

#include "base/process.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {
namespace {

constexpr std::size_t kMaxDataBytes = 4095;  // mount(2) takes a page of options.
constexpr std::size_t kMessageBytes = 512;

// Mounts stacked on one directory; unmounts them all, lazily, when dropped.
class MountStack {
 public:
  explicit MountStack(std::string directory) : directory_(std::move(directory)) {}
  MountStack(const MountStack&) = delete;
  MountStack& operator=(const MountStack&) = delete;
  ~MountStack() {
    for (; count_ > 0; --count_)
      ::umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }

  Result<void> Add(const HostMount& mount) {
    const ParsedOptions options = TRY_CONTEXT(ParseMountOptions(mount.options), "rootfs");
    const char* type = mount.type == "bind" ? nullptr : mount.type.c_str();
    const unsigned long flags = options.flags | (type == nullptr ? MS_BIND : 0);
    if (::mount(mount.source.c_str(), directory_.c_str(), type, flags, options.data.c_str()) != 0)
      return ErrnoError(errno, "rootfs: mount " + mount.type + " at " + directory_);
    ++count_;
    return {};
  }

 private:
  std::string directory_;
  int count_ = 0;
};

// Runs a program; its messages become the error.
Result<void> RunTool(const std::vector<std::string>& argv) {
  const UniqueFd messages(::memfd_create("messages", MFD_CLOEXEC));
  const UniqueFd null = TRY(OpenFile("/dev/null", O_RDWR));
  ChildProcess child = TRY(ChildProcess::Spawn(
      argv, {.stdin_fd = null.get(), .stdout_fd = messages.get(), .stderr_fd = messages.get()}));
  const int status = TRY(child.Wait());
  if (status == 0) return {};
  std::string text(kMessageBytes, '\0');
  const ssize_t n = ::pread(messages.get(), text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  for (char& c : text)
    if (c == '\n') c = ' ';
  return Error(Code::kInternal, argv[0] + ": status " + std::to_string(status) + ": " + text);
}

}  // namespace

Result<ParsedOptions> ParseMountOptions(const std::vector<std::string>& options) {
  static const std::map<std::string_view, unsigned long> kFlags = {{"ro", MS_RDONLY},
                                                                   {"rw", 0},
                                                                   {"bind", MS_BIND},
                                                                   {"rbind", MS_BIND | MS_REC},
                                                                   {"nosuid", MS_NOSUID},
                                                                   {"nodev", MS_NODEV},
                                                                   {"noexec", MS_NOEXEC},
                                                                   {"noatime", MS_NOATIME},
                                                                   {"relatime", MS_RELATIME},
                                                                   {"nodiratime", MS_NODIRATIME},
                                                                   {"sync", MS_SYNCHRONOUS},
                                                                   {"dirsync", MS_DIRSYNC},
                                                                   {"defaults", 0}};
  ParsedOptions parsed;
  for (const std::string& option : options) {
    if (const auto flag = kFlags.find(option); flag != kFlags.end()) {
      parsed.flags |= flag->second;
      continue;
    }
    if (!parsed.data.empty()) parsed.data += ',';
    parsed.data += option;
  }
  if (parsed.data.size() > kMaxDataBytes)
    return Error(Code::kResourceExhausted, "mount options: longer than a page");
  return parsed;
}

Result<void> BuildRootfsImage(const RootfsRequest& request) {
  MountStack mounts(request.directory);
  if (!request.mounts.empty() && ::mkdir(request.directory.c_str(), 0711) != 0 && errno != EEXIST)
    return ErrnoError(errno, "rootfs: " + request.directory);
  for (const HostMount& mount : request.mounts)
    (void)TRY(mounts.Add(mount));
  struct stat status = {};
  if (::stat(request.directory.c_str(), &status) != 0)
    return ErrnoError(errno, "rootfs: " + request.directory);
  if (!S_ISDIR(status.st_mode))
    return Error(Code::kInvalidArgument, "rootfs: " + request.directory + ": not a directory");
  Result<void> built =
      RunTool({"gensquashfs", "--quiet", "--force", "--keep-time", "--keep-xattr", "--compressor",
               request.compressor, "--pack-dir", request.directory, request.image});
  if (!built) {
    ::unlink(request.image.c_str());
    return std::move(built).error().With("rootfs: build the image");
  }
  return {};
}

}  // namespace kata_cc::shim
