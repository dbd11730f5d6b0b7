// SPDX-License-Identifier: Apache-2.0
// Sandbox: the requests about containers and processes that exist.
#include "shim/sandbox/sandbox.h"

#include <unistd.h>

#include <csignal>
#include <thread>
#include <utility>

#include "base/log.h"
#include "proto/containerd/events.pb.h"
#include "proto/oci/spec.h"
#include "shim/guest/copy_files.h"
#include "shim/sandbox/stats.h"

namespace kata_cc::shim {
namespace {

using containerd::task::v2::DeleteResponse;
using containerd::task::v2::StateResponse;

// What containerd's exit handler leaves for a call is 10 s in all.
constexpr std::chrono::milliseconds kKillTimeout{5000};
constexpr std::chrono::milliseconds kRemoveTimeout{3000};
constexpr std::chrono::milliseconds kCreateCancelTimeout{4000};
constexpr std::uint32_t kMaxSignal = 64;

containerd::v1::types::Status WireStatus(ProcessState state) {
  switch (state) {
    case ProcessState::kCreating:
    case ProcessState::kCreated:
    case ProcessState::kStarting:
      return containerd::v1::types::CREATED;
    case ProcessState::kRunning:
      return containerd::v1::types::RUNNING;
    case ProcessState::kPaused:
      return containerd::v1::types::PAUSED;
    case ProcessState::kStopped:
      return containerd::v1::types::STOPPED;
  }
  return containerd::v1::types::UNKNOWN;
}

Error NotRunning(const Process& process) {
  return Error(Code::kFailedPrecondition, (process.is_init() ? "container " + process.container_id
                                                             : "exec " + process.exec_id) +
                                              ": is " + StateName(process.state) + ", not running");
}

}  // namespace

std::shared_ptr<Sandbox> Sandbox::Create(Reactor& reactor, WorkerPool& pool, EventSink& events,
                                         SandboxOptions options) {
  std::shared_ptr<Sandbox> sandbox(new Sandbox(reactor, pool, events, std::move(options)));
  sandbox->WatchVolumes();
  return sandbox;
}

void Sandbox::WatchVolumes() {
  volume_watch_ = VolumeWatch::Create(
      reactor_, pool_, [weak = weak_from_this()](const GuestCopy& copy) -> Result<void> {
        const auto self = weak.lock();
        if (!self) return {};
        std::shared_ptr<Agent> agent;
        {
          auto table = self->table_.Lock();
          agent = TRY(UpAgent(table));
        }
        return CopyToGuest(copy, [&](const auto& part) { return agent->CopyFile(part); });
      });
}

Result<std::shared_ptr<Sandbox::Container>> Sandbox::FindContainer(TableLock& table,
                                                                   const std::string& id) {
  const auto found = table->containers.find(id);
  if (found == table->containers.end())
    return Error(Code::kNotFound, "container " + id.substr(0, 80) + ": not found");
  return found->second;
}

Result<std::shared_ptr<Process>> Sandbox::FindProcess(TableLock& table, const std::string& id,
                                                      const std::string& exec_id) {
  const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
  if (exec_id.empty()) return container->init;
  const auto found = container->execs.find(exec_id);
  if (found == container->execs.end())
    return Error(Code::kNotFound, "exec " + exec_id.substr(0, 80) + ": not found");
  return found->second;
}

Result<std::shared_ptr<Agent>> Sandbox::UpAgent(TableLock& table) {
  if (table->stage != Stage::kUp || !table->uvm->agent())
    return Error(Code::kUnavailable, "the sandbox's VM is not running");
  return table->uvm->agent();
}

std::uint32_t Sandbox::pid(TableLock& table) {
  // All processes of a pod are, on the host, the VMM.
  if (table->uvm && table->uvm->pid() > 0)
    table->task_pid = static_cast<std::uint32_t>(table->uvm->pid());
  return table->task_pid;
}

Result<std::uint32_t> Sandbox::Start(const std::string& id, const std::string& exec_id) {
  std::shared_ptr<Process> process;
  {
    auto table = table_.Lock();
    process = TRY(FindProcess(table, id, exec_id));
    if (!process->is_init()) {
      const std::shared_ptr<Process> init = table->containers[id]->init;
      if (init->state != ProcessState::kRunning) return NotRunning(*init);
    }
    (void)TRY(process->Transition(ProcessState::kStarting));
  }
  if (auto started = StartInGuest(process); !started) {
    if (process->io) process->io->Cancel();
    FinishExit(process, kExitUnknown, false);
    return std::move(started).error();
  }
  std::uint32_t task_pid = 0;
  bool oom_loop = false;
  std::optional<TerminalSize> size;
  {
    auto table = table_.Lock();
    task_pid = pid(table);
    (void)TRY(process->Transition(ProcessState::kRunning));
    size = process->terminal_size;
    oom_loop = !std::exchange(table->oom_loop, true);
  }
  if (process->is_init()) {
    containerd::events::TaskStart event;
    event.set_container_id(id);
    event.set_pid(task_pid);
    events_.Publish("/tasks/start", event);
  } else {
    containerd::events::TaskExecStarted event;
    event.set_container_id(id);
    event.set_exec_id(exec_id);
    event.set_pid(task_pid);
    events_.Publish("/tasks/exec-started", event);
  }
  WatchExit(process);  // After the event, so that an exit cannot overtake it.
  if (oom_loop) OomLoop();
  if (size) {
    containerd::task::v2::ResizePtyRequest resize;
    resize.set_id(id);
    resize.set_exec_id(exec_id);
    resize.set_width(size->width);
    resize.set_height(size->height);
    (void)ResizePty(resize);  // The process may have ended already.
  }
  return task_pid;
}

Result<void> Sandbox::StartInGuest(const std::shared_ptr<Process>& process) {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    agent = TRY(UpAgent(table));
  }
  if (process->is_init()) {
    (void)TRY_CONTEXT(agent->StartContainer(process->container_id),
                      "start container " + process->container_id);
  } else {
    auto io =
        TRY(ProcessIo::Open(reactor_, process->streams, process->container_id, process->exec_id));
    {
      auto table = table_.Lock();
      process->io = std::move(io);
    }
    grpc::ExecProcessRequest request;
    request.set_container_id(process->container_id);
    request.set_exec_id(process->exec_id);
    *request.mutable_process() = MakeGuestExec(process->spec, process->streams.terminal);
    (void)TRY_CONTEXT(agent->ExecProcess(request), "exec in " + process->container_id);
  }
  process->io->Start(agent);
  return {};
}

Result<void> Sandbox::Exec(const containerd::task::v2::ExecProcessRequest& request) {
  (void)TRY(CheckId("exec id", request.exec_id()));
  auto exec = std::make_shared<Process>();
  exec->container_id = request.id();
  exec->exec_id = request.exec_id();
  exec->streams = {request.stdin(), request.stdout(), request.stderr(), request.terminal()};
  exec->spec = TRY_CONTEXT(oci::ParseProcess(request.spec().value()), "exec");
  if (exec->spec.args().empty()) return Error(Code::kInvalidArgument, "exec: no arguments");
  (void)TRY(exec->Transition(ProcessState::kCreated));
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, request.id()));
    const ProcessState state = container->init->state;
    if (state == ProcessState::kStopped || state == ProcessState::kCreating)
      return NotRunning(*container->init);
    if (!container->execs.emplace(request.exec_id(), std::move(exec)).second)
      return Error(Code::kAlreadyExists, "exec " + request.exec_id() + ": already exists");
  }
  containerd::events::TaskExecAdded event;
  event.set_container_id(request.id());
  event.set_exec_id(request.exec_id());
  events_.Publish("/tasks/exec-added", event);
  return {};
}

Result<DeleteResponse> Sandbox::Delete(const std::string& id, const std::string& exec_id) {
  std::shared_ptr<Container> container;
  std::shared_ptr<Process> process;
  bool creating = false;
  {
    auto table = table_.Lock();
    process = TRY(FindProcess(table, id, exec_id));
    container = table->containers[id];
    creating = process->state == ProcessState::kCreating;
    if (!creating && !process->stopped() && process->state != ProcessState::kCreated)
      return Error(Code::kFailedPrecondition,
                   (process->is_init() ? "container " + id : "exec " + exec_id) + ": is " +
                       StateName(process->state) + ", cannot be deleted");
    if (!creating && std::exchange(process->deleting, true))
      return Error(Code::kNotFound, "container " + id + ": is being deleted");
  }
  if (creating) {  // Its creator gave up; the creation is aborted and cleans up after itself.
    cancel_create_ = container->type != ContainerType::kInPod;
    const auto deadline = std::chrono::steady_clock::now() + kCreateCancelTimeout;
    while (std::chrono::steady_clock::now() < deadline) {
      if (!table_.Lock()->containers.contains(id))
        return Error(Code::kNotFound, "container " + id + ": its creation was aborted");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return Error(Code::kFailedPrecondition, "container " + id + ": is being created");
  }
  if (process->io) {
    if (!process->stopped() || !process->io->WaitDrained(options_.drain_timeout))
      process->io->Cancel();
  }
  if (process->is_init()) RemoveFromGuest(container);
  DeleteResponse response;
  std::map<std::uint64_t, Process::Waiter> waiters;  // Of one that never started.
  {
    auto table = table_.Lock();
    response.set_pid(pid(table));
    if (process->stopped()) {
      response.set_exit_status(process->exit.status);
      *response.mutable_exited_at() = process->exit.at;
    }
    if (process->is_init()) {
      table->containers.erase(id);
    } else {
      container->execs.erase(exec_id);
    }
    waiters = std::exchange(process->waiters, {});
  }
  for (const auto& [waiter_id, waiter] : waiters)
    waiter({kExitUnknown, {}});
  if (process->is_init()) {
    containerd::events::TaskDelete event;
    event.set_container_id(id);
    event.set_id(id);
    event.set_pid(response.pid());
    event.set_exit_status(response.exit_status());
    *event.mutable_exited_at() = response.exited_at();
    events_.Publish("/tasks/delete", event);
    EndIfOver();
  }
  return response;
}

// Also after a failed creation, so every step is one that may have nothing to do.
void Sandbox::RemoveFromGuest(const std::shared_ptr<Container>& container) {
  volume_watch_->Remove(container->id);
  std::shared_ptr<Agent> agent;
  std::shared_ptr<Uvm> uvm;
  std::vector<VmDisk> disks;
  std::vector<std::string> files;
  {
    auto table = table_.Lock();
    if (table->stage == Stage::kUp) {
      uvm = table->uvm;
      if (std::exchange(container->in_guest, false)) agent = uvm->agent();
    }
    disks = std::exchange(container->disks, {});
    files = std::exchange(container->files, {});
  }
  const auto warn = [&](const char* message, const Error& error) {
    Log(LogLevel::kWarn, message,
        {{field::kContainerId, container->id}, {field::kError, error.message()}});
  };
  if (agent) {
    if (auto removed = agent->RemoveContainer(container->id, kRemoveTimeout); !removed)
      warn("the guest did not remove the container", removed.error());
  }
  if (uvm) pod_disks_.Release(*uvm, disks);
  for (const std::string& file : files)
    ::unlink(file.c_str());
}

Result<void> Sandbox::Kill(const containerd::task::v2::KillRequest& request) {
  if (request.signal() == 0 || request.signal() > kMaxSignal)
    return Error(Code::kInvalidArgument,
                 "kill: signal " + std::to_string(request.signal()) + " is not in 1..64");
  std::shared_ptr<Process> process;
  std::shared_ptr<Agent> agent;
  bool never_started = false;
  {
    auto table = table_.Lock();
    process = TRY(FindProcess(table, request.id(), request.exec_id()));
    if (process->stopped()) return Error(Code::kNotFound, "kill: process already finished");
    never_started = process->state == ProcessState::kCreated && process->is_init() &&
                    (request.signal() == SIGKILL || request.signal() == SIGTERM);
    if (!process->alive() && !never_started)
      return Error(Code::kFailedPrecondition,
                   "kill: process is " + std::string(StateName(process->state)));
    if (!never_started) agent = TRY(UpAgent(table));
  }
  if (never_started) {
    FinishExit(process, 128 + request.signal(), true);
    return {};
  }
  const auto sent =
      agent->SignalProcess(request.id(), request.exec_id(), request.signal(), kKillTimeout);
  if (sent) return {};
  if (sent.error().code() == Code::kDeadlineExceeded && request.signal() == SIGKILL &&
      process->is_init()) {
    OnVmLost("SIGKILL was not answered in time");
    return {};
  }
  return std::move(Error(sent.error())).With("kill " + request.id());
}

Result<void> Sandbox::Pause(const std::string& id) {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
    if (container->init->state != ProcessState::kRunning) return NotRunning(*container->init);
    agent = TRY(UpAgent(table));
  }
  (void)TRY_CONTEXT(agent->PauseContainer(id), "pause " + id);
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
    (void)TRY(container->init->Transition(ProcessState::kPaused));
  }
  containerd::events::TaskPaused event;
  event.set_container_id(id);
  events_.Publish("/tasks/paused", event);
  return {};
}

Result<void> Sandbox::Resume(const std::string& id) {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
    if (container->init->state != ProcessState::kPaused)
      return Error(Code::kFailedPrecondition, "resume: container " + id + " is not paused");
    agent = TRY(UpAgent(table));
  }
  (void)TRY_CONTEXT(agent->ResumeContainer(id), "resume " + id);
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
    (void)TRY(container->init->Transition(ProcessState::kRunning));
  }
  containerd::events::TaskResumed event;
  event.set_container_id(id);
  events_.Publish("/tasks/resumed", event);
  return {};
}

Result<void> Sandbox::Update(const containerd::task::v2::UpdateTaskRequest& request) {
  grpc::UpdateContainerRequest update;
  update.set_container_id(request.id());
  grpc::LinuxResources& resources = *update.mutable_resources();
  resources = TRY_CONTEXT(oci::ParseLinuxResources(request.resources().value()), "update");
  ConstrainResources(&resources);
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, request.id()));
    if (container->init->stopped()) return NotRunning(*container->init);
    agent = TRY(UpAgent(table));
  }
  (void)TRY_CONTEXT(agent->UpdateContainer(update), "update " + request.id());
  return {};
}

Result<void> Sandbox::ResizePty(const containerd::task::v2::ResizePtyRequest& request) {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    const std::shared_ptr<Process> process =
        TRY(FindProcess(table, request.id(), request.exec_id()));
    if (!process->streams.terminal)
      return Error(Code::kFailedPrecondition, "resize: the process has no terminal");
    process->terminal_size = TerminalSize{request.width(), request.height()};
    if (process->stopped()) return NotRunning(*process);
    if (!process->alive()) return {};  // Start passes it on.
    agent = TRY(UpAgent(table));
  }
  grpc::TtyWinResizeRequest resize;
  resize.set_container_id(request.id());
  resize.set_exec_id(request.exec_id());
  resize.set_row(request.height());
  resize.set_column(request.width());
  return agent->TtyWinResize(resize);
}

Result<io::containerd::cgroups::v2::Metrics> Sandbox::Stats(const std::string& id) {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
    if (!container->init->alive())
      return Error(Code::kNotFound, "stats: container " + id + " is not running");
    agent = TRY(UpAgent(table));
  }
  return ToMetrics(TRY_CONTEXT(agent->StatsContainer(id), "stats of " + id));
}

Result<StateResponse> Sandbox::State(const std::string& id, const std::string& exec_id) {
  auto table = table_.Lock();
  const std::shared_ptr<Process> process = TRY(FindProcess(table, id, exec_id));
  StateResponse response;
  response.set_id(exec_id.empty() ? id : exec_id);
  response.set_exec_id(exec_id);
  response.set_bundle(table->containers[id]->bundle);
  response.set_pid(pid(table));
  response.set_status(WireStatus(process->state));
  response.set_stdin(process->streams.in);
  response.set_stdout(process->streams.out);
  response.set_stderr(process->streams.err);
  response.set_terminal(process->streams.terminal);
  if (process->stopped()) {
    response.set_exit_status(process->exit.status);
    *response.mutable_exited_at() = process->exit.at;
  }
  return response;
}

Result<std::vector<std::uint32_t>> Sandbox::Pids(const std::string& id) {
  auto table = table_.Lock();
  const std::shared_ptr<Container> container = TRY(FindContainer(table, id));
  return std::vector<std::uint32_t>{pid(table)};
}

Result<void> Sandbox::CloseIo(const std::string& id, const std::string& exec_id) {
  std::shared_ptr<ProcessIo> io;
  {
    auto table = table_.Lock();
    io = TRY(FindProcess(table, id, exec_id))->io;
  }
  if (io) io->CloseStdin();
  return {};
}

std::uint32_t Sandbox::TaskPid(const std::string& id) {
  auto table = table_.Lock();
  return table->containers.contains(id) ? pid(table) : 0;
}

Result<std::uint64_t> Sandbox::Wait(const std::string& id, const std::string& exec_id,
                                    Process::Waiter waiter) {
  Exit exit;
  {
    auto table = table_.Lock();
    const std::shared_ptr<Process> process = TRY(FindProcess(table, id, exec_id));
    if (!process->stopped()) {
      const std::uint64_t waiter_id = table->next_waiter++;
      process->waiters[waiter_id] = std::move(waiter);
      return waiter_id;
    }
    exit = process->exit;
  }
  waiter(exit);
  return std::uint64_t{0};
}

void Sandbox::DropWaiter(const std::string& id, const std::string& exec_id,
                         std::uint64_t waiter_id) {
  Process::Waiter dropped;  // Destroyed without the lock.
  auto table = table_.Lock();
  const auto process = FindProcess(table, id, exec_id);
  if (!process) return;
  const auto found = (*process)->waiters.find(waiter_id);
  if (found == (*process)->waiters.end()) return;
  dropped = std::move(found->second);
  (*process)->waiters.erase(found);
}

bool Sandbox::Shutdown(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    {
      auto table = table_.Lock();
      if (!table->containers.empty()) return false;
      if (table->stage == Stage::kNone || table->stage == Stage::kGone) return true;
    }
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

}  // namespace kata_cc::shim
