// SPDX-License-Identifier: Apache-2.0
// What is configured in a network namespace, in the agent API's words (Kata: network_linux.go).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "proto/agent.pb.h"
#include "proto/types.pb.h"

namespace kata_cc::shim {

struct PodLink {
  int index = 0;  // In the namespace.
  types::Interface interface;
};

struct PodConfiguration {
  std::vector<PodLink>
      links;            // Those that are up and have an address of more than the link's scope.
  grpc::Routes routes;  // Of the main table, but for those that come with an address.
  grpc::ARPNeighbors neighbors;  // Permanent ones, and gateways that are known to be there.
};

// Of the calling thread's namespace. Unimplemented for what a VM cannot be given: an interface that
// is not Ethernet, a route with several next hops.
Result<PodConfiguration> ScanNetwork();

}  // namespace kata_cc::shim
