// SPDX-License-Identifier: Apache-2.0
// What a genuine report of a pod's guest must contain, from public files alone: the runtime's
// configuration, the guest image and the pod's YAML.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/result.h"

namespace kata_cc::ctl {

struct ReferenceInputs {
  std::string pod;                   // Path of the YAML file.
  std::string config;                // Path of the runtime's configuration.
  std::string ovmf, kernel, initrd;  // In place of the configuration's, where they are set.
  std::uint64_t guest_features = 1;  // SEV_FEATURES of the host's QEMU and KVM.
};

// An object for one pod, an array of them for several: launch_digest, host_data and guest_policy
// as `report verify --reference` takes them, and what they were computed from.
Result<nlohmann::json> ReferenceValues(const ReferenceInputs& inputs);

}  // namespace kata_cc::ctl
