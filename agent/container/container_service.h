// SPDX-License-Identifier: Apache-2.0
// ContainerService: the containers of the sandbox, in the terms of the agent API. It trusts its
// caller to have passed the policy gate, and believes nothing else in a request.
#pragma once

#include <functional>
#include <memory>
#include <string>

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
};

// The answer to a request that may wait: done runs once, on any thread. wanted is false once nobody
// waits for it any more: then nothing is consumed on its behalf.
template <typename T>
struct Reply {
  std::function<void(Result<T>)> done;
  std::function<bool()> wanted;
  std::function<void(std::function<void()>)> on_abandoned;
};

class ContainerService {
 public:
  // The reactor and pool outlive it. As PID 1 it also reaps orphans (SIGCHLD on the reactor).
  static Result<std::unique_ptr<ContainerService>> Create(Reactor& reactor, WorkerPool& pool,
                                                          ContainerPaths paths);
  virtual ~ContainerService() = default;

  // Pool threads; each blocks for as long as the operation takes.
  virtual Result<void> CreateSandbox(const grpc::CreateSandboxRequest& request) = 0;
  virtual Result<void> DestroySandbox() = 0;
  virtual Result<void> CreateContainer(const grpc::CreateContainerRequest& request) = 0;
  virtual Result<void> StartContainer(const grpc::StartContainerRequest& request) = 0;
  virtual Result<void> RemoveContainer(const grpc::RemoveContainerRequest& request) = 0;
  virtual Result<void> ExecProcess(const grpc::ExecProcessRequest& request) = 0;
  virtual Result<void> SignalProcess(const grpc::SignalProcessRequest& request) = 0;
  virtual Result<void> UpdateContainer(const grpc::UpdateContainerRequest& request) = 0;
  virtual Result<void> PauseContainer(const std::string& container_id) = 0;
  virtual Result<void> ResumeContainer(const std::string& container_id) = 0;
  virtual Result<grpc::StatsContainerResponse> StatsContainer(const std::string& container_id) = 0;
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
};

}  // namespace kata_cc::agent
