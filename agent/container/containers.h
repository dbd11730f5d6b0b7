// SPDX-License-Identifier: Apache-2.0
// Containers: the ContainerService of the guest, on crun, cgroup v2 and the storage table.
//
//   container   creating ──▶ created ──▶ running ──▶ stopped      any but creating ──▶ removing
//
// An id is in the table from the first step of its creation to the last one of its removal.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/container/cgroup.h"
#include "agent/container/container_service.h"
#include "agent/container/crun.h"
#include "agent/container/guest_spec.h"
#include "agent/container/oom_watch.h"
#include "agent/container/sandbox_namespaces.h"
#include "agent/process/process.h"
#include "agent/process/reaper.h"
#include "agent/storage/copy_file.h"
#include "agent/storage/storage_table.h"
#include "base/synced.h"

namespace kata_cc::agent {

class Containers : public ContainerService {
 public:
  static constexpr std::size_t kMaxContainers = 256;
  static constexpr std::size_t kMaxExecs = 1024;  // Of one container, that nobody has waited for.

  static Result<std::unique_ptr<Containers>> Create(Reactor& reactor, ContainerPaths paths);
  ~Containers() override;

  Result<void> CreateSandbox(const grpc::CreateSandboxRequest& request) override;
  Result<void> DestroySandbox() override;
  Result<void> CopyFile(const grpc::CopyFileRequest& request) override;
  Result<void> CreateContainer(const grpc::CreateContainerRequest& request) override;
  Result<void> StartContainer(const grpc::StartContainerRequest& request) override;
  Result<void> RemoveContainer(const grpc::RemoveContainerRequest& request) override;
  Result<void> ExecProcess(const grpc::ExecProcessRequest& request) override;
  Result<void> SignalProcess(const grpc::SignalProcessRequest& request) override;
  Result<void> UpdateContainer(const grpc::UpdateContainerRequest& request) override;
  Result<void> PauseContainer(const std::string& container_id) override;
  Result<void> ResumeContainer(const std::string& container_id) override;
  Result<grpc::StatsContainerResponse> StatsContainer(const std::string& container_id) override;
  Result<grpc::VolumeStatsResponse> VolumeStats(const std::string& mount_point) override;
  Result<void> CloseStdin(const grpc::CloseStdinRequest& request) override;
  Result<void> TtyWinResize(const grpc::TtyWinResizeRequest& request) override;
  void WaitProcess(const grpc::WaitProcessRequest& request,
                   Reply<grpc::WaitProcessResponse> reply) override;
  void WriteStdin(const grpc::WriteStreamRequest& request,
                  Reply<grpc::WriteStreamResponse> reply) override;
  void ReadStdout(const grpc::ReadStreamRequest& request,
                  Reply<grpc::ReadStreamResponse> reply) override;
  void ReadStderr(const grpc::ReadStreamRequest& request,
                  Reply<grpc::ReadStreamResponse> reply) override;
  void GetOOMEvent(Reply<grpc::OOMEvent> reply) override;
  void DiscardOutput(const grpc::ReadStreamRequest& request, bool is_stderr) override;

 private:
  enum class State { kCreating, kCreated, kRunning, kStopped, kRemoving };

  // The fields up to `state` are set by the thread that creates it, before the state says created.
  struct Container {
    Container(std::string the_id, Cgroup the_cgroup)
        : id(std::move(the_id)), cgroup(std::move(the_cgroup)) {}
    const std::string id;
    const Cgroup cgroup;
    std::string init_exec_id;  // Kata's clients may name the first process by it.
    grpc::Process init_spec;
    bool holds_sandbox = false;  // The pod's pause container.
    std::vector<StorageTable::Use> storages;
    std::shared_ptr<Process> init;

    State state = State::kCreating;
    bool paused = false;
    std::map<std::string, std::shared_ptr<Process>> execs;  // Null: about to be.
  };

  struct Sandbox {
    std::shared_ptr<SandboxNamespaces> namespaces;
    std::shared_ptr<UniqueFd> pid_namespace;  // Of its first container.
    std::vector<StorageTable::Use> storages;
    bool wants_pid_namespace = false;
  };

  struct Table {
    std::map<std::string, std::shared_ptr<Container>> containers;
    std::optional<Sandbox> sandbox;
    bool sandbox_changing = false;
  };

  Containers(Reactor& reactor, ContainerPaths paths);
  Result<void> Open();

  std::string BundleOf(const std::string& id) const { return paths_.run_dir + "/" + id; }
  Result<void> Build(Container& container, const grpc::CreateContainerRequest& request);
  Result<GuestSpec> SpecFor(Container& container, const grpc::CreateContainerRequest& request);
  struct SharedNamespaces;
  Result<SharedNamespaces> NamespacesFor(const grpc::CreateContainerRequest& request);
  std::vector<std::shared_ptr<Process>> ExecsOf(Container& container);
  Result<void> SetNetworkSysctls(const GuestSpec& guest);
  Result<void> TearDown(Container& container, bool reactor_runs);
  Result<void> RemoveOne(const std::string& id);

  // Runs the OCI runtime and takes over the process that it leaves. command: how, with its streams.
  using Launch = std::function<Result<pid_t>(const Crun::Streams& streams)>;
  Result<std::shared_ptr<Process>> LaunchProcess(bool terminal, const Launch& launch,
                                                 Process::Events events);
  void OnInitExit(const std::string& container_id, pid_t pid);
  void OnExecExit(const std::string& container_id, pid_t pid);
  void OnExecDone(const std::string& container_id, const std::string& exec_id);
  std::function<void()> WhileAlive(std::function<void(Containers&)> task);

  Result<std::shared_ptr<Container>> Find(const std::string& id);
  Result<std::shared_ptr<Process>> FindProcess(const std::string& id, const std::string& exec_id);
  template <typename Request, typename Response>
  void Read(OutputKind kind, const Request& request, Reply<Response> reply);

  Reactor& reactor_;
  const ContainerPaths paths_;
  std::unique_ptr<StorageTable> storage_;
  std::unique_ptr<FileCopier> copier_;
  std::unique_ptr<Reaper> reaper_;
  std::optional<Crun> crun_;       // Always.
  std::unique_ptr<OomWatch> oom_;  // Reactor thread.
  Synced<Table> table_;
  Synced<std::uint64_t> next_console_;
  std::shared_ptr<Containers*> alive_ = std::make_shared<Containers*>(this);
};

}  // namespace kata_cc::agent
