// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/copy_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "agent/storage/beneath.h"
#include "base/retry.h"

namespace kata_cc::agent {
namespace {

Error Refused(const char* why) {
  return {Code::kInvalidArgument, std::string("CopyFileRequest: ") + why};
}

Result<void> WriteAt(const UniqueFd& file, std::string_view data, std::int64_t offset) {
  while (!data.empty()) {
    const ssize_t n =
        RetryOnEintr([&] { return ::pwrite(file.get(), data.data(), data.size(), offset); });
    if (n < 0) return ErrnoError(errno, "copy file");
    data.remove_prefix(static_cast<std::size_t>(n));
    offset += n;
  }
  return {};
}

constexpr std::string_view kDataLink = "..data";

// "" when there is no such link.
std::string TargetOf(const UniqueFd& parent, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t n = ::readlinkat(parent.get(), name.c_str(), target.data(), target.size());
  target.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return target;
}

// What kubelet does once a volume's `..data` leads to current: the directories of other generations
// go, and the names of files that current does not have.
void RemoveOldGenerations(const UniqueFd& volume, const std::string& current) {
  if (current.find('/') != std::string::npos) return;
  const auto directory = OpenBeneath(volume, current, O_PATH | O_DIRECTORY);
  const auto names = NamesIn(volume);
  if (!directory || !names) return;
  for (const std::string& name : *names) {
    struct stat status = {};
    if (name == current || ::fstatat(volume.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (S_ISDIR(status.st_mode) && name.starts_with("..")) RemoveBeneath(volume, name);
    if (!S_ISLNK(status.st_mode) || TargetOf(volume, name) != std::string(kDataLink) + "/" + name)
      continue;
    if (::fstatat(directory->get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno == ENOENT)
      ::unlinkat(volume.get(), name.c_str(), 0);
  }
}

// -1 is no owner: it would mean "leave as it is".
Result<void> CheckOwner(const grpc::CopyFileRequest& request) {
  if (request.uid() < 0 || request.gid() < 0) return Refused("a negative owner");
  return {};
}

Result<void> SetOwnerAndMode(const grpc::CopyFileRequest& request, const UniqueFd& file) {
  const auto uid = static_cast<uid_t>(request.uid());
  const auto gid = static_cast<gid_t>(request.gid());
  if (::fchown(file.get(), uid, gid) != 0) return ErrnoError(errno, "copy file: chown");
  if (::fchmod(file.get(), request.file_mode() & 07777U) != 0) {
    return ErrnoError(errno, "copy file: chmod");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<FileCopier>> FileCopier::Create(std::string directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return ErrnoError(error.value(), directory);
  UniqueFd root = TRY(OpenFile(directory, O_PATH | O_DIRECTORY));
  return std::unique_ptr<FileCopier>(new FileCopier(std::move(directory), std::move(root)));
}

Result<void> FileCopier::Copy(const grpc::CopyFileRequest& request) {
  const std::string relative =
      TRY_CONTEXT(RelativeTo(directory_, request.path()), "CopyFileRequest");
  TRY(CheckOwner(request));
  const std::uint32_t type = request.file_mode() & S_IFMT;
  if (type == S_IFREG) return CopyRegular(request, relative);
  const UniqueFd parent = TRY(Parent(request, relative));
  const std::string name = relative.substr(relative.rfind('/') + 1);
  if (type == S_IFDIR) return MakeDirectory(request, parent, name);
  if (type == S_IFLNK) return MakeLink(request, parent, name);
  return Refused("not a regular file, a directory or a symbolic link");
}

Result<UniqueFd> FileCopier::Parent(const grpc::CopyFileRequest& request,
                                    const std::string& relative) const {
  const std::size_t slash = relative.rfind('/');
  const std::string dir = slash == std::string::npos ? std::string() : relative.substr(0, slash);
  const mode_t mode = (request.dir_mode() & 07777U) == 0 ? 0755 : request.dir_mode() & 07777U;
  return MakeDirectoriesBeneath(root_, dir, mode);
}

Result<void> FileCopier::CopyRegular(const grpc::CopyFileRequest& request,
                                     const std::string& relative) {
  const auto length = static_cast<std::int64_t>(request.data().size());
  if (request.file_size() < 0 || request.file_size() > kMaxFileBytes || request.offset() < 0 ||
      request.offset() > request.file_size() || length > request.file_size() - request.offset()) {
    return Refused("offset and data do not fit into the file's size");
  }
  const UniqueFd parent = TRY(Parent(request, relative));
  Pending pending = TRY(Take(relative, request, parent));
  TRY(WriteAt(pending.file, request.data(), pending.written));
  pending.written += length;
  if (pending.written == pending.size) {
    return Publish(request, pending, parent, relative);
  }
  if (length == 0) return Refused("a piece without data");
  auto all = pending_.Lock();
  if (all->size() >= kMaxPending && !all->contains(relative)) {
    return Error(Code::kResourceExhausted, "CopyFileRequest: too many files are half copied");
  }
  all->insert_or_assign(relative, std::move(pending));
  return {};
}

// What was written of the file so far, out of the table: a piece that fails ends its file.
Result<FileCopier::Pending> FileCopier::Take(const std::string& relative,
                                             const grpc::CopyFileRequest& request,
                                             const UniqueFd& parent) {
  Pending pending;
  {
    auto all = pending_.Lock();
    const auto it = all->find(relative);
    if (it != all->end()) {
      pending = std::move(it->second);
      all->erase(it);
    }
  }
  if (request.offset() == 0) {  // From the start, perhaps again.
    pending = Pending();
    pending.size = request.file_size();
    pending.file = TRY(OpenFile(PathOf(parent), O_TMPFILE | O_RDWR, 0600));
    return pending;
  }
  if (!pending.file.valid() || pending.written != request.offset() ||
      pending.size != request.file_size()) {
    return Refused("the piece does not continue the file");
  }
  return pending;
}

Result<void> FileCopier::Publish(const grpc::CopyFileRequest& request, const Pending& pending,
                                 const UniqueFd& parent, const std::string& relative) {
  const std::string name = relative.substr(relative.rfind('/') + 1);
  TRY(SetOwnerAndMode(request, pending.file));
  const std::string temporary = TemporaryName();
  if (::linkat(AT_FDCWD, PathOf(pending.file).c_str(), root_.get(), temporary.c_str(),
               AT_SYMLINK_FOLLOW) != 0) {
    return ErrnoError(errno, "copy file: link");
  }
  if (Result<void> opened = OpenIfCovered(relative, temporary); !opened) {
    ::unlinkat(root_.get(), temporary.c_str(), 0);
    return opened;
  }
  // Over a link that is there: the link goes, what it points to stays.
  if (::renameat(root_.get(), temporary.c_str(), parent.get(), name.c_str()) != 0) {
    const int error = errno;
    ::unlinkat(root_.get(), temporary.c_str(), 0);
    return ErrnoError(error, "copy file: rename");
  }
  return {};
}

Result<void> FileCopier::OpenBelow(const std::string& path, Open open) {
  std::string relative = TRY(RelativeTo(directory_, path));
  open_below_.Lock()->insert_or_assign(std::move(relative), std::move(open));
  return {};
}

Result<void> FileCopier::OpenIfCovered(const std::string& relative, const std::string& temporary) {
  Open open;
  {
    auto all = open_below_.Lock();
    for (const auto& [path, one] : *all)
      if (relative == path || relative.starts_with(path + "/")) open = one;
  }
  if (!open) return {};
  return open(directory_ + "/" + temporary);
}

Result<void> FileCopier::MakeDirectory(const grpc::CopyFileRequest& request, const UniqueFd& parent,
                                       const std::string& name) const {
  if (::mkdirat(parent.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoError(errno, "copy file: mkdir");
  }
  const UniqueFd made = TRY(OpenBeneath(parent, name, O_RDONLY | O_DIRECTORY));
  return SetOwnerAndMode(request, made);
}

Result<void> FileCopier::MakeLink(const grpc::CopyFileRequest& request, const UniqueFd& parent,
                                  const std::string& name) {
  const std::string& target = request.data();
  if (target.empty() || target.size() >= PATH_MAX || target.find('\0') != std::string::npos) {
    return Refused("not a symbolic link's target");
  }
  const std::string temporary = TemporaryName();
  if (::symlinkat(target.c_str(), root_.get(), temporary.c_str()) != 0) {
    return ErrnoError(errno, "copy file: symlink");
  }
  const std::string before = name == kDataLink ? TargetOf(parent, name) : std::string();
  const bool owned = ::fchownat(root_.get(), temporary.c_str(), static_cast<uid_t>(request.uid()),
                                static_cast<gid_t>(request.gid()), AT_SYMLINK_NOFOLLOW) == 0;
  if (owned && ::renameat(root_.get(), temporary.c_str(), parent.get(), name.c_str()) == 0) {
    if (!before.empty() && before != target) RemoveOldGenerations(parent, target);
    return {};
  }
  const int error = errno;
  ::unlinkat(root_.get(), temporary.c_str(), 0);
  return ErrnoError(error, "copy file: symlink");
}

// In the root, where the host can name it too: at worst it breaks its own copy.
std::string FileCopier::TemporaryName() {
  return ".copy-" + std::to_string((*next_name_.Lock())++);
}

}  // namespace kata_cc::agent
