// SPDX-License-Identifier: Apache-2.0
// The RPC edge of kata-cc-snapshotter: containerd.services.snapshots.v1 over gRPC. Unpacks, calls,
// maps errors, logs each call that changes something once.
#pragma once

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "shim/snapshotter/snapshotter.h"

namespace kata_cc::snapshotter {

// snapshotter outlives it.
std::unique_ptr<grpc::Service> MakeService(Snapshotter& snapshotter);

}  // namespace kata_cc::snapshotter
