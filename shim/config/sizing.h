// SPDX-License-Identifier: Apache-2.0
// How large a sandbox's UVM is: what the UVM itself needs, plus the limits of its containers.
// Requests reserve nothing. Inputs: the CRI's sums on the sandbox's annotations (containerd 1.6+),
// or, for a container that is its own sandbox, its OCI limits. (kata: docs/how-to sizing)
#pragma once

#include <cstdint>

#include "base/result.h"
#include "proto/oci.pb.h"

namespace kata_cc::shim {

struct SizingPolicy {
  std::uint32_t default_vcpus = 1;                // For the UVM itself.
  std::uint32_t default_memory_mib = 2048;        // For the UVM itself.
  std::uint32_t default_workload_memory_mib = 0;  // Added when no container has a memory limit.
};

struct VmSize {
  std::uint32_t vcpus = 0;
  std::uint32_t memory_mib = 0;
};

// vCPUs are rounded up, memory to the next even MiB. InvalidArgument for an annotation that is not
// a number, and for a sum that no VM here can have (more than 1024 vCPUs or 16 TiB).
Result<VmSize> SizeVm(const SizingPolicy& policy, const grpc::Spec& spec);

}  // namespace kata_cc::shim
