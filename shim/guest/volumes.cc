// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/volumes.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <cerrno>
#include <string_view>

#include "shim/guest/guest_spec.h"

namespace kata_cc::shim {
namespace {

constexpr std::string_view kEmptyDirPart = "/volumes/kubernetes.io~empty-dir/";
constexpr char kEphemeralDir[] = "/run/kata-containers/sandbox/ephemeral/";

bool Holds(const std::string& path, std::string_view part) {
  return path.find(part) != std::string::npos;
}

// The volume's name when path is an emptyDir itself, not something in it.
std::optional<std::string> EmptyDirName(const std::string& path) {
  const std::size_t at = path.find(kEmptyDirPart);
  if (at == std::string::npos || !Holds(path.substr(0, at), "/pods/")) return std::nullopt;
  std::string name = path.substr(at + kEmptyDirPart.size());
  while (name.ends_with('/'))
    name.pop_back();
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    return std::nullopt;
  return name;
}

}  // namespace

VolumeKind KindOfVolume(const std::string& source, const std::string& destination) {
  if (EmptyDirName(source)) return VolumeKind::kEmptyDir;
  for (const char* file : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
    if (destination == file) return VolumeKind::kCopied;
  const bool of_pod = Holds(source, "/pods/");
  for (const char* plugin : {"configmap", "secret", "projected", "downward-api"})
    if (of_pod && Holds(source, "/volumes/kubernetes.io~" + std::string(plugin) + "/"))
      return VolumeKind::kCopied;
  // The termination log, POD_DIR/containers/NAME/HASH; what CRI keeps for an image's VOLUME.
  if (of_pod && Holds(source, "/containers/")) return VolumeKind::kCopied;
  if (Holds(source, "/io.containerd.grpc.v1.cri/containers/") && Holds(source, "/volumes/"))
    return VolumeKind::kCopied;
  return VolumeKind::kHost;
}

Result<grpc::Storage> EmptyDirStorage(const std::string& source, const std::string& sandbox_id) {
  const auto name = EmptyDirName(source);
  if (!name) return Error(Code::kInvalidArgument, source + ": no emptyDir");
  struct statfs system = {};
  struct stat status = {};
  if (::statfs(source.c_str(), &system) != 0 || ::stat(source.c_str(), &status) != 0)
    return ErrnoError(errno, source);
  grpc::Storage storage;
  storage.set_fstype("tmpfs");
  if (system.f_type == TMPFS_MAGIC) {
    storage.set_driver("ephemeral");
    storage.set_source("tmpfs");
    storage.set_mount_point(kEphemeralDir + *name);
    storage.add_options(
        "size=" + std::to_string(system.f_blocks * static_cast<std::uint64_t>(system.f_bsize)));
  } else {
    storage.set_driver("local");
    storage.set_source("local");
    storage.set_fstype("local");
    storage.set_mount_point(kGuestSharedDir + sandbox_id + "/local/" + *name);
    storage.add_options("mode=0777");
  }
  if (status.st_gid != 0) storage.add_options("fsgid=" + std::to_string(status.st_gid));
  return storage;
}

}  // namespace kata_cc::shim
