// SPDX-License-Identifier: Apache-2.0
// A host's OCI spec turned into the guest's: what Kata's runtime removes and rewrites before
// CreateContainer (virtcontainers constrainGRPCSpec), so that policies written for it fit.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/agent.pb.h"
#include "shim/guest/volumes.h"

namespace kata_cc::shim {

constexpr char kGuestSharedDir[] = "/run/kata-containers/shared/containers/";
constexpr char kGuestShm[] = "/run/kata-containers/sandbox/shm";

// A host file or directory that the guest needs a copy of.
struct GuestCopy {
  std::string host_path;
  std::string guest_path;
};

struct GuestSpec {
  grpc::Spec spec;
  bool sandbox_pidns = false;           // The container joins the sandbox's pid namespace.
  std::vector<GuestCopy> copies;        // In the order of the mounts that use them.
  std::vector<grpc::Storage> storages;  // Of emptyDirs.
  std::map<std::string, std::string>
      disk_dirs;  // The host's directory, by an encrypted one's serial.
  std::vector<HostDevice> devices;
};

struct GuestSpecOptions {
  std::string container_id;
  std::string sandbox_id;
  StorageMode empty_dirs = StorageMode::kMemory;
  bool confidential = false;  // Volumes of the host itself are refused.
};

std::string GuestRootfs(const std::string& container_id);

// Hooks, seccomp, device, pid, block and network limits, cpu sets and the host's namespaces go;
// policy and initdata annotations go. Bind mounts of host files become copies, emptyDirs storages;
// InvalidArgument for a bind mount without an absolute source, or of the host's /dev, /proc or
// /sys; FailedPrecondition for what a confidential sandbox does not take, and devices that are no
// block devices.
Result<GuestSpec> MakeGuestSpec(grpc::Spec spec, const GuestSpecOptions& options);

// Limits that are the host's business: devices, pids, block and network, cpu sets.
void ConstrainResources(grpc::LinuxResources* resources);

// Of an exec: Kata sends no capabilities, rlimits, or labels with it.
grpc::Process MakeGuestExec(const grpc::Process& process, bool terminal);

// Lines of the resolv.conf that the spec mounts; empty when there is none. hostname is cut at 64.
std::vector<std::string> ReadDns(const grpc::Spec& spec);

}  // namespace kata_cc::shim
