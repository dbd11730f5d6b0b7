// SPDX-License-Identifier: Apache-2.0
// ContainerService: the containers of the sandbox, in the terms of the agent API. It trusts its
// caller to have passed the policy gate, and believes nothing else in a request.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/process/reply.h"
#include "base/reactor.h"
#include "base/result.h"
#include "base/worker_pool.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

// Where things are; tests use a temporary directory and a host's crun.
struct ContainerPaths {
  std::string run_dir = "/run/kata-containers";  // <run_dir>/<container id>/{config.json,rootfs}.
  std::string crun = "/usr/bin/crun";
  std::string crun_root = "/run/crun";
  std::string cgroup_root = "/sys/fs/cgroup";  // cgroup v2 mount.
  std::string cgroup_parent = "/kata-cc";      // Of the containers' groups, below it.
  std::string resolv_conf;                     // Gets the pod's name servers; empty: no file does.
  std::string proc_sys;  // Where network sysctls of pods are set; empty: they are refused.
  // Has the kernel learn a file system, or "verity", before it is used
  // (agent/boot/kernel_modules.h).
  std::function<Result<void>(std::string_view)> need_module;
  bool verified_only = false;  // Refuse block devices whose content no root hash vouches for.
  // What unseals a process's environment, and the files below a directory of the guest that a
  // container mounts under /sealed (CoCo's sealed secrets). Not set: they stay as they are.
  std::function<Result<void>(grpc::Process& process)> unseal_process;
  std::function<Result<void>(const std::string& dir)> unseal_files;
  std::function<Result<void>(const std::string& file)> unseal_file;  // One that comes later.
  // False only in tests on machines whose root may not load the programs that this takes.
  bool restrict_devices = true;
};

class ContainerService {
 public:
  // On the reactor's thread, or before it runs. Reactor and pool outlive it, and the reactor runs
  // no more when it is destroyed; what is left of the sandbox goes with it. The process becomes a
  // subreaper; as PID 1 it also reaps orphans.
  static Result<std::unique_ptr<ContainerService>> Create(Reactor& reactor, WorkerPool& pool,
                                                          ContainerPaths paths);
  virtual ~ContainerService() = default;

  // Pool threads; each blocks for as long as the operation takes.
  virtual Result<void> CreateSandbox(const grpc::CreateSandboxRequest& request) = 0;
  virtual Result<void> DestroySandbox() = 0;
  virtual Result<void> CopyFile(const grpc::CopyFileRequest& request) = 0;
  virtual Result<void> CreateContainer(const grpc::CreateContainerRequest& request) = 0;
  virtual Result<void> StartContainer(const grpc::StartContainerRequest& request) = 0;
  virtual Result<void> RemoveContainer(const grpc::RemoveContainerRequest& request) = 0;
  virtual Result<void> ExecProcess(const grpc::ExecProcessRequest& request) = 0;
  virtual Result<void> SignalProcess(const grpc::SignalProcessRequest& request) = 0;
  virtual Result<void> UpdateContainer(const grpc::UpdateContainerRequest& request) = 0;
  virtual Result<void> PauseContainer(const std::string& container_id) = 0;
  virtual Result<void> ResumeContainer(const std::string& container_id) = 0;
  virtual Result<grpc::StatsContainerResponse> StatsContainer(const std::string& container_id) = 0;
  // Of a mounted storage, by its mount point.
  virtual Result<grpc::VolumeStatsResponse> VolumeStats(const std::string& mount_point) = 0;
  virtual Result<void> CloseStdin(const grpc::CloseStdinRequest& request) = 0;
  virtual Result<void> TtyWinResize(const grpc::TtyWinResizeRequest& request) = 0;

  // Any thread; these return at once and answer when there is something to say.
  virtual void WaitProcess(const grpc::WaitProcessRequest& request,
                           Reply<grpc::WaitProcessResponse> reply) = 0;
  virtual void WriteStdin(const grpc::WriteStreamRequest& request,
                          Reply<grpc::WriteStreamResponse> reply) = 0;
  virtual void ReadStdout(const grpc::ReadStreamRequest& request,
                          Reply<grpc::ReadStreamResponse> reply) = 0;
  virtual void ReadStderr(const grpc::ReadStreamRequest& request,
                          Reply<grpc::ReadStreamResponse> reply) = 0;
  virtual void GetOOMEvent(Reply<grpc::OOMEvent> reply) = 0;

  // Any thread. Nobody may read this output: it is thrown away from now on, so that the process is
  // not held up by it. No effect on what does not exist.
  virtual void DiscardOutput(const grpc::ReadStreamRequest& request, bool is_stderr) = 0;
};

}  // namespace kata_cc::agent
