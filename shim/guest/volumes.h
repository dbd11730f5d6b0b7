// SPDX-License-Identifier: Apache-2.0
// What a bind mount of the host is for Kubernetes, by the paths that kubelet and containerd's CRI
// give their volumes, and what becomes of it in a guest that shares no file system.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/agent.pb.h"
#include "shim/config/config.h"

namespace kata_cc::shim {

enum class VolumeKind {
  kCopied,    // ConfigMap, Secret, projected, downward API, /etc/hosts and the like, VOLUMEs.
  kEmptyDir,  // Made in the guest: the host's directory is not looked at.
  kHost,      // hostPath, PersistentVolumes with a file system, subPath, anything else.
};

VolumeKind KindOfVolume(const std::string& source, const std::string& destination);

// The storage of an emptyDir, shared by the containers of the sandbox, in Kata's form: `local` or
// an encrypted disk, by mode; `ephemeral` of the host's size when it is of medium Memory. Errors as
// stat of source.
Result<grpc::Storage> EmptyDirStorage(const std::string& source, const std::string& sandbox_id,
                                      StorageMode mode);

constexpr char kBlockDriver[] = "blk";

// A disk's serial: the kind's letter and 19 digits of the name's SHA-256.
std::string SerialOf(char kind, const std::string& name);

// A disk of the host's that the guest encrypts with a key of its own, and makes a file system on.
grpc::Storage EncryptedStorage(const std::string& serial, const std::string& mount_point);

// A block device of the host's that a container gets as such.
struct HostDevice {
  std::string serial;
  std::string path;  // On the host.
  std::string container_path;
  bool read_only = false;
};

// The block devices in a spec (runtime-spec, linux.devices). FailedPrecondition for other devices:
// no other reaches a guest. sys: where sysfs is.
Result<std::vector<HostDevice>> DevicesOf(const grpc::Linux& os_linux,
                                          const std::string& sys = "/sys");

}  // namespace kata_cc::shim
