// SPDX-License-Identifier: Apache-2.0
// Sandbox: one pod on this host: its UVM, its containers and their processes. Everything that the
// task API can do to them, without the API's wire.
//
// Locking: the table of containers is short-term state behind one lock, never held across a call to
// the guest, to the VM or to the disk. Whatever changes a process's state does it under that lock.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/reactor.h"
#include "base/result.h"
#include "base/synced.h"
#include "base/worker_pool.h"
#include "proto/containerd/metrics.pb.h"
#include "proto/containerd/task.pb.h"
#include "shim/config/config.h"
#include "shim/events/publisher.h"
#include "shim/guest/guest_spec.h"
#include "shim/guest/volume_watch.h"
#include "shim/network/pod_network.h"
#include "shim/rootfs/rootfs_image.h"
#include "shim/sandbox/pod_disks.h"
#include "shim/sandbox/pod_identity.h"
#include "shim/sandbox/uvm.h"
#include "shim/task/process.h"

namespace kata_cc::shim {

struct SandboxOptions {
  std::string sandbox_id;
  std::string domain_name;  // Of the UVM.
  std::string state_dir;    // Exists; the sandbox's own.
  // The configuration for a sandbox with these runtime options and annotations.
  std::function<Result<Config>(const google::protobuf::Any& options,
                               const Annotations& annotations)>
      read_config;
  CreateVm create_vm;
  std::function<Result<void>(const RootfsRequest&)> build_rootfs = BuildRootfsImage;
  // Called before the UVM is started: what `delete` needs after a crash of the shim.
  std::function<Result<void>(const Config&, const NetworkNamespace&)> save_state =
      [](const Config&, const NetworkNamespace&) { return Result<void>(); };
  std::chrono::milliseconds drain_timeout{5000};
  std::chrono::milliseconds exec_end_timeout{2000};
};

class Sandbox : public std::enable_shared_from_this<Sandbox> {
 public:
  // Reactor, pool and events outlive it.
  static std::shared_ptr<Sandbox> Create(Reactor& reactor, WorkerPool& pool, EventSink& events,
                                         SandboxOptions options);

  // Pool threads; each blocks for as long as the operation takes.
  Result<std::uint32_t> CreateTask(const containerd::task::v2::CreateTaskRequest& request);
  Result<std::uint32_t> Start(const std::string& id, const std::string& exec_id);
  Result<containerd::task::v2::DeleteResponse> Delete(const std::string& id,
                                                      const std::string& exec_id);
  Result<void> Kill(const containerd::task::v2::KillRequest& request);
  Result<void> Pause(const std::string& id);
  Result<void> Resume(const std::string& id);
  Result<void> Update(const containerd::task::v2::UpdateTaskRequest& request);
  Result<void> ResizePty(const containerd::task::v2::ResizePtyRequest& request);
  Result<io::containerd::cgroups::v2::Metrics> Stats(const std::string& id);
  // Waits for the UVM's end, for at most timeout; true if no container is left and it is gone.
  bool Shutdown(std::chrono::milliseconds timeout);
  // Ends everything, in order: for the shim's own end.
  void Terminate();

  // Any thread; these return at once.
  Result<void> Exec(const containerd::task::v2::ExecProcessRequest& request);
  Result<containerd::task::v2::StateResponse> State(const std::string& id,
                                                    const std::string& exec_id);
  Result<std::vector<std::uint32_t>> Pids(const std::string& id);
  Result<void> CloseIo(const std::string& id, const std::string& exec_id);
  std::uint32_t TaskPid(const std::string& id);  // 0 when there is no such task.
  bool empty() { return table_.Lock()->containers.empty(); }

  // waiter runs once, on any thread, unless it is dropped before: at once when the process has
  // ended already. The id drops it.
  Result<std::uint64_t> Wait(const std::string& id, const std::string& exec_id,
                             Process::Waiter waiter);
  void DropWaiter(const std::string& id, const std::string& exec_id, std::uint64_t waiter_id);

 private:
  struct Container {
    std::string id;
    std::string bundle;
    ContainerType type = ContainerType::kSingle;
    std::shared_ptr<Process> init;
    std::map<std::string, std::shared_ptr<Process>> execs;
    std::vector<VmDisk> disks;       // Attached ones that end with it.
    std::vector<std::string> files;  // Of such disks, that end with it, too.
    bool in_guest = false;
    std::optional<std::uint32_t> pending_exit;  // The init ended, some exec has not yet.
  };
  enum class Stage { kNone, kBooting, kUp, kEnding, kGone };
  struct Table {
    Stage stage = Stage::kNone;
    std::map<std::string, std::shared_ptr<Container>> containers;
    std::shared_ptr<Uvm> uvm;
    std::optional<Config> config;
    NetworkNamespace netns;  // Of the pod, if it has one.
    std::uint64_t next_waiter = 1;
    unsigned next_disk = 0;
    std::uint32_t task_pid = 0;
    bool oom_loop = false;
  };
  using TableLock = Synced<Table>::Locked;
  struct Creation;  // What CreateTask has made so far (sandbox_create.cc).

  Sandbox(Reactor& reactor, WorkerPool& pool, EventSink& events, SandboxOptions options)
      : reactor_(reactor), pool_(pool), events_(events), options_(std::move(options)) {}
  void WatchVolumes();

  // sandbox_create.cc
  Result<void> Boot(Creation* creation);
  Result<void> PrepareUvm(Creation* creation);
  Result<void> ConnectUvm(Creation* creation);
  Result<PodNetwork> ReadPodNetwork(const Creation& creation) const;
  static Result<void> ConfigureNetwork(const PodNetwork& network, Agent& agent);
  static Result<void> ChooseRootfs(Creation* creation);
  Result<void> BuildRootfs(const Creation& creation);
  Result<void> AttachRootfs(Creation* creation);
  Result<void> AttachVolumes(Creation* creation, const GuestSpec& guest);
  // Attaches what is the container's own.
  Result<void> AttachDisks(Creation* creation, const std::vector<VmDisk>& disks);
  static bool HasEncryptedScratch(const Creation& creation);
  Result<VmDisk> EncryptedDisk(const Config& config, const std::string& serial);
  Result<void> CreateInGuest(Creation* creation);
  void UndoCreate(Creation* creation);
  static void Disconnect(const NetworkNamespace& netns);

  // sandbox_exit.cc
  void WatchExit(const std::shared_ptr<Process>& process);
  void OnGuestExit(const std::shared_ptr<Process>& process, std::uint32_t status);
  void FinishExit(const std::shared_ptr<Process>& process, std::uint32_t status, bool publish);
  void FinishPendingExit(const std::shared_ptr<Container>& container, bool force);
  void OnVmLost(const std::string& why);
  void EndIfOver();
  void EndUvm();
  void RemoveDisks(const Config& config);
  void OomLoop();

  static Result<std::shared_ptr<Container>> FindContainer(TableLock& table, const std::string& id);
  static Result<std::shared_ptr<Process>> FindProcess(TableLock& table, const std::string& id,
                                                      const std::string& exec_id);
  // The agent, while the UVM is up; else Unavailable.
  static Result<std::shared_ptr<Agent>> UpAgent(TableLock& table);
  Result<void> StartInGuest(const std::shared_ptr<Process>& process);
  void RemoveFromGuest(const std::shared_ptr<Container>& container);
  // Where this sandbox's images and disks are.
  std::string DiskDir(const Config& config) const {
    return config.image_dir + "/" + options_.domain_name;
  }
  static std::uint32_t pid(TableLock& table);

  Reactor& reactor_;
  WorkerPool& pool_;
  EventSink& events_;
  const SandboxOptions options_;
  std::atomic<bool> cancel_create_ = false;
  PodDisks pod_disks_;
  Synced<std::set<std::string>> volume_disks_;  // Of encrypted emptyDirs, on the host.
  std::shared_ptr<VolumeWatch> volume_watch_;
  Synced<Table> table_;
};

}  // namespace kata_cc::shim
