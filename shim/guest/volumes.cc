// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/volumes.h"

#include <linux/magic.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <string_view>

#include "base/encoding.h"
#include "shim/guest/guest_spec.h"

namespace kata_cc::shim {
namespace {

constexpr std::string_view kEmptyDirPart = "/volumes/kubernetes.io~empty-dir/";
constexpr char kEphemeralDir[] = "/run/kata-containers/sandbox/ephemeral/";
constexpr char kStorageDir[] = "/run/kata-containers/sandbox/storage/";

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

// Padded, as Kata's rules compute it from the source.
std::string Base64UrlPadded(const std::string& text) {
  std::string encoded = Base64UrlEncode(AsBytes(text));
  encoded.append((4 - encoded.size() % 4) % 4, '=');
  return encoded;
}

// /dev/NAME, by the kernel's word for the numbers.
Result<std::string> PathOfDevice(const grpc::LinuxDevice& device, const std::string& sys) {
  std::ifstream uevent(sys + "/dev/block/" + std::to_string(device.major()) + ":" +
                       std::to_string(device.minor()) + "/uevent");
  constexpr std::string_view kName = "DEVNAME=";
  for (std::string line; std::getline(uevent, line);)
    if (line.starts_with(kName)) return "/dev/" + line.substr(kName.size());
  return Error(Code::kNotFound, "device " + device.path() + ": the host has no such block device");
}

bool MayWrite(const grpc::Linux& os_linux, const grpc::LinuxDevice& device) {
  for (const grpc::LinuxDeviceCgroup& rule : os_linux.resources().devices()) {
    if (rule.allow() && rule.major() == device.major() && rule.minor() == device.minor())
      return rule.access().find('w') != std::string::npos;
  }
  return true;
}

}  // namespace

std::string SerialOf(char kind, const std::string& name) {
  constexpr std::size_t kDigits = 19;  // A virtio disk's serial has 20 bytes.
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest = {};
  ::SHA256(reinterpret_cast<const unsigned char*>(name.data()), name.size(), digest.data());
  return kind + HexEncode(digest).substr(0, kDigits);
}

grpc::Storage EncryptedStorage(const std::string& serial, const std::string& mount_point) {
  grpc::Storage storage;
  storage.set_driver(kBlockDriver);
  storage.set_source(serial);
  storage.set_fstype("ext4");
  storage.add_driver_options("encryption_key=ephemeral");
  storage.add_driver_options("create_filesystem");
  storage.set_mount_point(mount_point);
  return storage;
}

Result<std::vector<HostDevice>> DevicesOf(const grpc::Linux& os_linux, const std::string& sys) {
  std::vector<HostDevice> devices;
  for (const grpc::LinuxDevice& device : os_linux.devices()) {
    if (device.type() != "b")
      return Error(Code::kFailedPrecondition,
                   "device " + device.path() + ": only block devices reach a guest");
    HostDevice host;
    host.path = TRY(PathOfDevice(device, sys));
    host.container_path = device.path();
    host.read_only = !MayWrite(os_linux, device);
    host.serial = SerialOf(host.read_only ? 'r' : 'b', host.path);
    devices.push_back(std::move(host));
  }
  return devices;
}

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

Result<grpc::Storage> EmptyDirStorage(const std::string& source, const std::string& sandbox_id,
                                      StorageMode mode) {
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
  } else if (mode == StorageMode::kBlockEncrypted) {
    const std::string serial = SerialOf('e', source);
    storage = EncryptedStorage(serial, kStorageDir + Base64UrlPadded(serial));
    storage.set_shared(true);
    if (status.st_gid != 0) storage.mutable_fs_group()->set_group_id(status.st_gid);
    return storage;
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
