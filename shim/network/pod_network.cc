// SPDX-License-Identifier: Apache-2.0
#include "shim/network/pod_network.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "shim/network/redirect.h"

namespace kata_cc::shim {

Result<NetworkNamespace> PodNetwork::NamespaceOf(const grpc::Spec& spec) {
  const Error host(Code::kFailedPrecondition, "hostNetwork: the pod is to have the host's network");
  for (const grpc::LinuxNamespace& one : spec.linux().namespaces()) {
    if (one.type() != "network") continue;
    if (one.path().empty()) return NetworkNamespace();
    NetworkNamespace netns = TRY(FindNetworkNamespace(one.path()));
    if (netns.id == TRY(OwnNetworkNamespace()).id) return host;
    return netns;
  }
  return host;
}

Result<PodNetwork> PodNetwork::Read(NetworkNamespace netns) {
  PodNetwork out;
  out.netns_ = std::move(netns);
  if (out.netns_.path.empty()) return out;
  const UniqueFd fd = TRY(OpenNetworkNamespace(out.netns_));
  PodConfiguration found;
  const auto read = [&found]() -> Result<void> {
    TRY(RemoveJoins());
    found = TRY(ScanNetwork());
    return {};
  };
  TRY(InNetworkNamespace(fd, read));
  if (found.links.size() > kMaxPodLinks)
    return Error(Code::kUnimplemented,
                 fmt::format("{} interfaces: at most {} can be", found.links.size(), kMaxPodLinks));
  // Only until the tap is moved, but unlike that of a pod that starts at the same time.
  std::uint32_t unique = 0;
  if (::getrandom(&unique, sizeof(unique), 0) != sizeof(unique))
    return ErrnoError(errno, "getrandom");
  for (PodLink& link : found.links)
    out.nics_.push_back({fmt::format("kcc{:08x}.{}", unique, out.nics_.size()), std::move(link)});
  out.routes_ = std::move(found.routes);
  out.neighbors_ = std::move(found.neighbors);
  return out;
}

Result<void> PodNetwork::Connect() const {
  const UniqueFd netns = TRY(OpenNetworkNamespace(netns_));
  for (std::size_t i = 0; i < nics_.size(); ++i) {
    const Nic& nic = nics_[i];
    const std::string tap = fmt::format("tap{}_kata", i);
    TRY(MoveLink(nic.tap, netns, tap));
    TRY_CONTEXT(InNetworkNamespace(netns, [&] { return JoinLinks(nic.link.index, tap); }),
                "interface " + nic.link.interface.name());
  }
  return {};
}

Result<void> DisconnectPodNetwork(const NetworkNamespace& netns) {
  if (netns.path.empty()) return {};
  const Result<UniqueFd> fd = OpenNetworkNamespace(netns);
  if (!fd && fd.error().code() == Code::kNotFound) return {};
  if (!fd) return Error(fd.error());
  return InNetworkNamespace(*fd, RemoveJoins);
}

}  // namespace kata_cc::shim
