// SPDX-License-Identifier: Apache-2.0
// The pods of a Kubernetes YAML file, as far as a launch depends on them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::ctl {

struct Pod {
  std::string kind;  // Of the object that makes the pod: "Pod", "Deployment", ...
  std::string name;
  std::string runtime_class;
  std::map<std::string, std::string> annotations;
  // What the kubelet gives the sandbox as CPU limit: the containers' sum, or what one of the init
  // containers needs besides the sidecars if that is more. 0: there is none.
  std::int64_t cpu_limit_milli = 0;
};

// Pods, and the pod templates of Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob and
// ReplicationController, of all documents and Lists; objects of other kinds are passed over.
// kInvalidArgument for text that is not YAML, or a field with another type than it should have.
Result<std::vector<Pod>> ReadPods(const std::string& yaml);

// A quantity of CPUs ("500m", "1.5", "2e1") in thousandths, rounded up.
Result<std::int64_t> ParseCpuMilli(std::string_view text);

}  // namespace kata_cc::ctl
