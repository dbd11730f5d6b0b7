// SPDX-License-Identifier: Apache-2.0
// PodNetwork: the network that CNI gave to a pod's network namespace, handed on to the pod's VM.
// The addresses are the guest's from then on; on the host, frames go between the namespace's
// interfaces and the VM's taps (docs/network.md).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "proto/oci.pb.h"
#include "shim/network/network_namespace.h"
#include "shim/network/scan.h"

namespace kata_cc::shim {

constexpr std::size_t kMaxPodLinks = 8;

class PodNetwork {
 public:
  // Where the spec's network namespace is. An empty path: the pod has none that anybody configured,
  // and so no interface. FailedPrecondition: the host's own (hostNetwork).
  static Result<NetworkNamespace> NamespaceOf(const grpc::Spec& spec);

  // Blocking, as all of these. What is configured there now; redirections that a dead shim left are
  // taken away.
  static Result<PodNetwork> Read(NetworkNamespace netns);

  struct Nic {
    std::string tap;  // Its name in the host's namespace, until Connect.
    PodLink link;
  };
  const std::vector<Nic>& nics() const { return nics_; }
  const grpc::Routes& routes() const { return routes_; }
  const grpc::ARPNeighbors& neighbors() const { return neighbors_; }
  const NetworkNamespace& netns() const { return netns_; }

  // Once the taps exist, and before the guest runs: moves them into the namespace, where the guest
  // reaches the pod's network and nothing of the host's. The taps vanish with the VMM.
  Result<void> Connect() const;

 private:
  NetworkNamespace netns_;
  std::vector<Nic> nics_;
  grpc::Routes routes_;
  grpc::ARPNeighbors neighbors_;
};

// Takes the redirections away, once the VM is gone. No error when the namespace is gone, too.
Result<void> DisconnectPodNetwork(const NetworkNamespace& netns);

}  // namespace kata_cc::shim
