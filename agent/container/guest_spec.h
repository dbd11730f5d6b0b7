// SPDX-License-Identifier: Apache-2.0
// The spec of a request turned into the one that the OCI runtime gets. The policy has judged the
// request; this adds what holds for each container whatever a policy says: its namespaces, its
// devices, its control group, and mounts that lead nowhere but to what the agent prepared.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/storage/mount.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

struct GuestSpecContext {
  std::string run_dir;
  const UniqueFd* run_root = nullptr;  // Open on run_dir.
  std::string bundle;                  // Where bind mounts are prepared.
  std::string cgroup_path;             // Below the cgroup mount.
  std::string rootfs;                  // The directory that is one of the request's storages.
  bool restrict_devices = true;
  // Paths of namespaces to join; empty: a new one.
  std::string ipc;
  std::string uts;
  std::string pid;
};

struct GuestSpec {
  grpc::Spec spec;
  std::vector<StagedBind> binds;  // Needed until the container is created.
  // The pod's network is the guest's, so these are set there and not by the runtime: names below
  // /proc/sys, with slashes.
  std::map<std::string, std::string> network_sysctls;
};

// InvalidArgument, naming the part, for: no process, no arguments, hooks, user namespaces or
// namespaces of the host by path, mounts of other kinds than a container's, bind mounts from
// outside run_dir or through links, devices that are no storage of the guest's.
// Ignored, as the guest has no use for them: annotations (crun takes orders from some), the
// hostname, AppArmor and SELinux labels, the network namespace, the host's cgroup path.
Result<GuestSpec> MakeGuestSpec(const grpc::CreateContainerRequest& request,
                                const GuestSpecContext& context);

// An exec of a container: what Kata leaves out of its process (capabilities, limits) is the
// container's own. InvalidArgument without arguments.
Result<grpc::Process> MakeGuestExec(const grpc::Process& exec, const grpc::Process& init);

// The container's memory limit, or zero.
std::uint64_t MemoryLimit(const grpc::Spec& spec);

// The pause container of a pod, which holds its namespaces (CRI's and CRI-O's annotation).
bool IsSandboxContainer(const grpc::Spec& spec);

}  // namespace kata_cc::agent
