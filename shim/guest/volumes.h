// SPDX-License-Identifier: Apache-2.0
// What a bind mount of the host is for Kubernetes, by the paths that kubelet and containerd's CRI
// give their volumes, and what becomes of it in a guest that shares no file system.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "proto/agent.pb.h"

namespace kata_cc::shim {

enum class VolumeKind {
  kCopied,    // ConfigMap, Secret, projected, downward API, /etc/hosts and the like, VOLUMEs.
  kEmptyDir,  // Made in the guest: the host's directory is not looked at.
  kHost,      // hostPath, PersistentVolumes with a file system, subPath, anything else.
};

VolumeKind KindOfVolume(const std::string& source, const std::string& destination);

// The storage of an emptyDir, shared by the containers of the sandbox, in Kata's form: `local`, or
// `ephemeral` of the host's size when it is of medium Memory. Errors as stat of source.
Result<grpc::Storage> EmptyDirStorage(const std::string& source, const std::string& sandbox_id);

}  // namespace kata_cc::shim
