// SPDX-License-Identifier: Apache-2.0
// Which sandbox a container belongs to, by the annotations that CRI implementations leave in its
// config.json: containerd's (pkg/cri/annotations), CRI-O's (pkg/annotations) and dockershim's.
#pragma once

#include <google/protobuf/map.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::shim {

enum class ContainerType {
  kSingle,   // No CRI annotation (ctr, nerdctl): a sandbox of its own.
  kSandbox,  // The pod's first container, whose id is the sandbox's.
  kInPod,
};

struct PodIdentity {
  ContainerType type = ContainerType::kSingle;
  std::string sandbox_id;
};

// Ids become file names, domain names and agent arguments: first a letter or digit, then also
// '.', '_' and '-', at most 76 bytes in all (containerd's own limit).
Result<void> CheckId(std::string_view what, std::string_view id);

// InvalidArgument for a container type that is not known, for one without a sandbox id, and for
// annotations that contradict each other.
using Annotations = google::protobuf::Map<std::string, std::string>;
Result<PodIdentity> ReadPodIdentity(const Annotations& annotations, const std::string& id);

}  // namespace kata_cc::shim
