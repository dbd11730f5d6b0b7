// SPDX-License-Identifier: Apache-2.0
// The guest's statistics in the form that containerd's CRI reads (cgroup v2 metrics).
#pragma once

#include "proto/agent.pb.h"
#include "proto/containerd/metrics.pb.h"

namespace kata_cc::shim {

// All sub-messages are present: readers take a missing one as an error.
io::containerd::cgroups::v2::Metrics ToMetrics(const grpc::StatsContainerResponse& stats);

}  // namespace kata_cc::shim
