// SPDX-License-Identifier: Apache-2.0
// Containers: from the request to the process, and back to nothing.
#include "agent/container/containers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/process/run_program.h"
#include "agent/storage/beneath.h"
#include "base/file.h"
#include "base/log.h"
#include "proto/oci/spec_writer.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc::agent {
namespace {

constexpr std::chrono::seconds kKillPatience{10};
constexpr std::uint64_t kSandboxContainerBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 40;

// Names in run_dir that are no container's.
constexpr std::string_view kSealedMounts = "/sealed";
constexpr const char* kCopiedFiles = "/shared/";
constexpr std::array<std::string_view, 3> kReserved = {"console", "sandbox", "shared"};

// What a container may write to its file system: it is its own memory, so half of its limit, lest
// it is killed for what should have been ENOSPC.
std::uint64_t WritableBytes(const grpc::Spec& spec) {
  if (IsSandboxContainer(spec)) return kSandboxContainerBytes;
  const std::uint64_t limit = MemoryLimit(spec);
  return limit == 0 ? kNoLimit : limit / 2;
}

}  // namespace

Result<std::unique_ptr<ContainerService>> ContainerService::Create(Reactor& reactor, WorkerPool&,
                                                                   ContainerPaths paths) {
  return std::unique_ptr<ContainerService>(TRY(Containers::Create(reactor, std::move(paths))));
}

Containers::Containers(Reactor& reactor, ContainerPaths paths)
    : reactor_(reactor), paths_(std::move(paths)) {}

Result<std::unique_ptr<Containers>> Containers::Create(Reactor& reactor, ContainerPaths paths) {
  std::unique_ptr<Containers> containers(new Containers(reactor, std::move(paths)));
  TRY(containers->Open());
  return containers;
}

Result<void> Containers::Open() {
  std::error_code error;
  std::filesystem::create_directories(paths_.run_dir + "/console", error);
  if (error) return ErrnoError(error.value(), paths_.run_dir);
  StorageConfig config;
  config.run_dir = paths_.run_dir;
  config.verified_only = paths_.verified_only;
  config.need_module = paths_.need_module;
  config.run_program = [this](const std::vector<std::string>& argv) {
    return RunProgram(*reaper_, argv);
  };
  ScratchBudget budget = TRY(ScratchBudget::OfMachine());
  storage_ = TRY(StorageTable::Create(std::move(config), std::move(budget)));
  copier_ = TRY(FileCopier::Create(paths_.run_dir + "/shared/containers"));
  reaper_ = TRY(Reaper::Create(reactor_));
  crun_.emplace(paths_.crun, paths_.crun_root, *reaper_);
  oom_ = TRY(OomWatch::Create(reactor_));
  return {};
}

Containers::~Containers() {
  alive_.reset();
  auto table = std::move(*table_.Lock());
  for (auto& [id, container] : table.containers)
    static_cast<void>(TearDown(*container, /*reactor_runs=*/false));
  if (table.sandbox) {
    while (!table.sandbox->storages.empty())
      table.sandbox->storages.pop_back();
  }
}

Result<void> Containers::CopyFile(const grpc::CopyFileRequest& request) {
  return copier_->Copy(request);
}

Result<void> Containers::CreateContainer(const grpc::CreateContainerRequest& request) {
  const std::string& id = request.container_id();
  if (std::find(kReserved.begin(), kReserved.end(), id) != kReserved.end()) {
    return Error(Code::kInvalidArgument, "create " + id + ": not a name for a container");
  }
  const auto container =
      std::make_shared<Container>(id, Cgroup(paths_.cgroup_root + paths_.cgroup_parent + "/" + id));
  {
    auto table = table_.Lock();
    if (table->containers.size() >= kMaxContainers) {
      return Error(Code::kResourceExhausted, "create " + id + ": too many containers");
    }
    if (!table->containers.emplace(id, container).second) {
      return Error(Code::kAlreadyExists, "create " + id + ": the id is in use");
    }
  }
  auto built = Build(*container, request);
  if (!built) {
    const auto gone = TearDown(*container, /*reactor_runs=*/true);
    if (!gone) {
      Log(LogLevel::kError, "left behind",
          {{field::kContainerId, id}, {field::kError, gone.error().message()}});
    }
  }
  auto table = table_.Lock();
  if (!built) {
    table->containers.erase(id);
    return std::move(built).error().With("create " + id);
  }
  container->state = container->init->exited() ? State::kStopped : State::kCreated;
  // The pid namespace of the pod is that of its first container.
  if (table->sandbox && table->sandbox->wants_pid_namespace && !table->sandbox->pid_namespace) {
    auto opened = OpenPidNamespace(container->init->pid());
    if (opened) table->sandbox->pid_namespace = std::make_shared<UniqueFd>(*std::move(opened));
  }
  return {};
}

struct Containers::SharedNamespaces {
  std::shared_ptr<SandboxNamespaces> sandbox;
  std::shared_ptr<UniqueFd> pid;
};

Result<Containers::SharedNamespaces> Containers::NamespacesFor(
    const grpc::CreateContainerRequest& request) {
  auto table = table_.Lock();
  SharedNamespaces shared;
  if (!table->sandbox) {
    if (!request.sandbox_pidns()) return shared;
    return Error(Code::kFailedPrecondition, "there is no sandbox to share a pid namespace with");
  }
  shared.sandbox = table->sandbox->namespaces;
  if (!request.sandbox_pidns()) return shared;
  shared.pid = table->sandbox->pid_namespace;
  if (shared.pid) return shared;
  // Kata's first shim said so with the sandbox; its second one only with the containers.
  for (const auto& [id, other] : table->containers) {
    if (other->state == State::kCreating || !other->holds_sandbox) continue;
    shared.pid = std::make_shared<UniqueFd>(TRY(OpenPidNamespace(other->init->pid())));
    table->sandbox->pid_namespace = shared.pid;
    return shared;
  }
  return Error(Code::kFailedPrecondition, "the sandbox has no container to share with");
}

Result<void> Containers::Build(Container& container, const grpc::CreateContainerRequest& request) {
  container.init_exec_id = request.exec_id();
  container.holds_sandbox = IsSandboxContainer(request.oci());
  const SharedNamespaces shared = TRY(NamespacesFor(request));
  container.storages = TRY(storage_->MountAll(request.storages(), WritableBytes(request.oci())));
  const std::string& rootfs = request.oci().root().path();
  const bool mounted = std::any_of(container.storages.begin(), container.storages.end(),
                                   [&](const auto& use) { return use.mount_point() == rootfs; });
  if (!mounted) return Error(Code::kNotFound, "rootfs: none of the storages");
  GuestSpecContext context;
  context.run_dir = paths_.run_dir;
  context.run_root = &storage_->root();
  context.cgroup_path = paths_.cgroup_parent + "/" + container.id;
  context.rootfs = rootfs;
  context.restrict_devices = paths_.restrict_devices;
  if (shared.sandbox) {
    context.ipc = shared.sandbox->ipc();
    context.uts = shared.sandbox->uts();
  }
  if (shared.pid) context.pid = PathOf(*shared.pid);
  const std::string bundle = BundleOf(container.id);
  if (::mkdir(bundle.c_str(), 0755) != 0 && errno != EEXIST) return ErrnoError(errno, "bundle");
  context.bundle = bundle;
  // Before the mounts are prepared: a file that is replaced later is not the one that was opened.
  for (const grpc::Mount& mount : request.oci().mounts()) {
    const bool sealed = paths_.unseal_files && mount.destination().starts_with(kSealedMounts) &&
                        mount.source().starts_with(paths_.run_dir + kCopiedFiles) &&
                        mount.source().find("/..") == std::string::npos;
    if (!sealed) continue;
    // What comes meanwhile is opened twice, or found open: never left out.
    if (paths_.unseal_file) TRY(copier_->OpenBelow(mount.source(), paths_.unseal_file));
    TRY_CONTEXT(paths_.unseal_files(mount.source()), mount.destination());
  }
  GuestSpec guest = TRY(MakeGuestSpec(request, context));
  if (paths_.unseal_process) TRY(paths_.unseal_process(*guest.spec.mutable_process()));
  container.init_spec = guest.spec.process();
  TRY(SetNetworkSysctls(guest));
  const std::string config = TRY(oci::WriteSpec(guest.spec));
  TRY(WriteFile(bundle + "/config.json", AsBytes(config), 0600));
  Process::Events events;
  events.on_exit = [weak = std::weak_ptr(alive_), id = container.id](pid_t pid) {
    if (const auto alive = weak.lock()) (*alive)->OnInitExit(id, pid);
  };
  container.init = TRY(LaunchProcess(
      guest.spec.process().terminal(),
      [&](const Crun::Streams& streams) { return crun_->Create(container.id, bundle, streams); },
      std::move(events)));
  return {};
}

Result<void> Containers::SetNetworkSysctls(const GuestSpec& guest) {
  if (guest.network_sysctls.empty()) return {};
  if (paths_.proc_sys.empty()) {
    return Error(Code::kFailedPrecondition, "sysctl: the network is not this agent's");
  }
  const UniqueFd root = TRY(OpenFile(paths_.proc_sys, O_PATH | O_DIRECTORY));
  for (const auto& [name, value] : guest.network_sysctls) {
    const UniqueFd file = TRY_CONTEXT(OpenBeneath(root, name, O_WRONLY), "sysctl");
    if (::write(file.get(), value.data(), value.size()) < 0) {
      return ErrnoError(errno, "sysctl " + name);
    }
  }
  return {};
}

Result<std::shared_ptr<Process>> Containers::LaunchProcess(bool terminal, const Launch& launch,
                                                           Process::Events events) {
  Stdio stdio;
  std::optional<ChildStdio> pipes;
  std::optional<ConsoleSocket> console;
  Crun::Streams streams;
  if (terminal) {
    const std::uint64_t number = (*next_console_.Lock())++;
    console.emplace(TRY(
        ConsoleSocket::Create(paths_.run_dir + "/console/" + std::to_string(number) + ".sock")));
    streams.console = &*console;
  } else {
    auto made = TRY(MakePipes());
    stdio = std::move(made.first);
    pipes.emplace(std::move(made.second));
    streams.pipes = &*pipes;
  }
  Reaper::Hold hold(*reaper_);
  const pid_t pid = TRY(launch(streams));
  UniqueFd pidfd(::pidfd_open(pid, 0));
  if (!pidfd.valid()) return ErrnoError(errno, "pidfd_open");
  if (terminal) {
    auto received = console->Receive();
    if (!received) {
      static_cast<void>(::pidfd_send_signal(pidfd.get(), SIGKILL, nullptr, 0));
      return std::move(received).error();
    }
    stdio = *std::move(received);
  }
  hold.Adopt(pid);
  return Process::Create(reactor_, pid, std::move(pidfd), std::move(stdio), std::move(events));
}

Result<void> Containers::StartContainer(const grpc::StartContainerRequest& request) {
  const auto container = TRY(Find(request.container_id()));
  {
    auto table = table_.Lock();
    if (container->state != State::kCreated) {
      return Error(Code::kFailedPrecondition,
                   "start " + container->id + ": it was started before, or has ended");
    }
    container->state = State::kRunning;
  }
  if (!container->holds_sandbox) {
    reactor_.Post(WhileAlive([id = container->id, cgroup = container->cgroup](Containers& self) {
      self.oom_->Add(id, cgroup);
    }));
  }
  auto started = crun_->Start(container->id);
  if (started) return {};
  auto table = table_.Lock();
  if (container->state == State::kRunning) container->state = State::kStopped;
  return std::move(started).error().With("start " + container->id);
}

std::vector<std::shared_ptr<Process>> Containers::ExecsOf(Container& container) {
  auto table = table_.Lock();
  std::vector<std::shared_ptr<Process>> execs;
  for (const auto& [id, exec] : container.execs)
    if (exec) execs.push_back(exec);
  return execs;
}

// Everything of it that exists, whatever its creation came to. With the reactor at work, waits
// until the exit of the first process is known, so that those who wait for it hear its status.
Result<void> Containers::TearDown(Container& container, bool reactor_runs) {
  TRY(container.cgroup.Kill());
  if (container.init && reactor_runs) {
    static_cast<void>(container.init->Signal(SIGKILL));
    if (!container.init->WaitForExit(kKillPatience)) {
      return Error(Code::kDeadlineExceeded, "its process does not end");
    }
  }
  if (!container.cgroup.WaitUntilEmpty(kKillPatience)) {
    return Error(Code::kDeadlineExceeded, "its processes do not end");
  }
  if (reactor_runs) {
    for (const auto& exec : ExecsOf(container))
      static_cast<void>(exec->WaitForExit(kKillPatience));
  }
  TRY(crun_->Delete(container.id));
  TRY(container.cgroup.Remove());
  while (!container.storages.empty())
    container.storages.pop_back();
  const std::string bundle = BundleOf(container.id);
  std::error_code ignored;  // Missing when the creation did not come this far.
  std::filesystem::remove(bundle + "/config.json", ignored);
  if (::rmdir(bundle.c_str()) != 0 && errno != ENOENT) return ErrnoError(errno, "remove bundle");
  return {};
}

Result<void> Containers::RemoveContainer(const grpc::RemoveContainerRequest& request) {
  return RemoveOne(request.container_id());
}

Result<void> Containers::RemoveOne(const std::string& id) {
  const auto container = TRY(Find(id));
  {
    auto table = table_.Lock();
    if (container->state == State::kRemoving) {
      return Error(Code::kFailedPrecondition, "remove " + id + ": it is being removed");
    }
    container->state = State::kRemoving;
  }
  reactor_.Post(WhileAlive([id](Containers& self) { self.oom_->Remove(id); }));
  auto gone = TearDown(*container, /*reactor_runs=*/true);
  auto table = table_.Lock();
  if (!gone) {
    container->state = State::kStopped;  // May be tried again.
    return std::move(gone).error().With("remove " + id);
  }
  table->containers.erase(id);
  return {};
}

std::function<void()> Containers::WhileAlive(std::function<void(Containers&)> task) {
  return [weak = std::weak_ptr(alive_), task = std::move(task)] {
    if (const auto alive = weak.lock()) task(**alive);
  };
}

void Containers::OnInitExit(const std::string& container_id, pid_t pid) {
  reaper_->Forget(pid);
  oom_->Check(container_id);
  auto table = table_.Lock();
  const auto it = table->containers.find(container_id);
  if (it == table->containers.end()) return;
  State& state = it->second->state;
  if (state == State::kCreated || state == State::kRunning) state = State::kStopped;
}

void Containers::OnExecExit(const std::string& container_id, pid_t pid) {
  reaper_->Forget(pid);
  oom_->Check(container_id);
}

void Containers::OnExecDone(const std::string& container_id, const std::string& exec_id) {
  std::shared_ptr<Process> done;  // Released without the lock.
  auto table = table_.Lock();
  const auto it = table->containers.find(container_id);
  if (it == table->containers.end()) return;
  const auto exec = it->second->execs.find(exec_id);
  if (exec == it->second->execs.end()) return;
  done = std::move(exec->second);
  it->second->execs.erase(exec);
}

// A container whose creation has not finished is none yet.
Result<std::shared_ptr<Containers::Container>> Containers::Find(const std::string& id) {
  auto table = table_.Lock();
  const auto it = table->containers.find(id);
  if (it == table->containers.end() || it->second->state == State::kCreating) {
    return Error(Code::kNotFound, "container " + id + ": there is none");
  }
  return it->second;
}

Result<std::shared_ptr<Process>> Containers::FindProcess(const std::string& id,
                                                         const std::string& exec_id) {
  const auto container = TRY(Find(id));
  if (exec_id.empty() || exec_id == container->init_exec_id) return container->init;
  auto table = table_.Lock();
  const auto it = container->execs.find(exec_id);
  if (it == container->execs.end() || it->second == nullptr) {
    return Error(Code::kNotFound, "exec " + exec_id + " of " + id + ": there is none");
  }
  return it->second;
}

}  // namespace kata_cc::agent
