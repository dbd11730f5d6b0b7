// SPDX-License-Identifier: Apache-2.0
// Sandbox: how processes, and at last the UVM, come to their end.
#include <google/protobuf/util/time_util.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "proto/containerd/events.pb.h"
#include "shim/sandbox/sandbox.h"

namespace kata_cc::shim {
namespace {

constexpr std::chrono::milliseconds kDestroySandboxTimeout{1000};
// For a FIFO that nobody empties; a stream ends half a second after its process at the latest.
constexpr std::chrono::milliseconds kOutputTimeout{2000};
constexpr std::uint32_t kExitKilled = 128 + SIGKILL;

}  // namespace

void Sandbox::WatchExit(const std::shared_ptr<Process>& process) {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    if (table->uvm) agent = table->uvm->agent();
  }
  if (!agent) return FinishExit(process, kExitUnknown, true);
  agent->WaitProcess(process->container_id, process->exec_id,
                     [weak = weak_from_this(), process](const Result<std::int32_t>& status) {
                       const auto sandbox = weak.lock();
                       if (!sandbox) return;
                       if (!status)
                         Log(LogLevel::kWarn, "nobody can tell how a process ended",
                             {{field::kContainerId, process->container_id},
                              {field::kExecId, process->exec_id},
                              {field::kError, status.error().message()}});
                       const bool valid = status && *status >= 0 && *status <= 255;
                       const std::uint32_t code =
                           valid ? static_cast<std::uint32_t>(*status) : kExitUnknown;
                       if (!process->io) return sandbox->OnGuestExit(process, code);
                       // A client that hears of the end stops to read: ctr closes its FIFOs.
                       const auto limit = std::min(sandbox->options_.drain_timeout, kOutputTimeout);
                       process->io->AfterOutput(limit, [weak, process, code] {
                         if (const auto told = weak.lock()) told->OnGuestExit(process, code);
                       });
                     });
}

// An init's exit is told after those of its execs, which end with it.
void Sandbox::OnGuestExit(const std::shared_ptr<Process>& process, std::uint32_t status) {
  std::shared_ptr<Container> container;
  std::vector<std::string> execs_left;
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    const auto found = table->containers.find(process->container_id);
    if (found != table->containers.end()) container = found->second;
    if (container && process->is_init()) {
      for (const auto& [exec_id, exec] : container->execs)
        if (exec->alive()) execs_left.push_back(exec_id);
      if (!execs_left.empty()) container->pending_exit = status;
      if (table->uvm) agent = table->uvm->agent();
    }
  }
  if (execs_left.empty()) {
    FinishExit(process, status, true);
    if (container && !process->is_init()) FinishPendingExit(container, false);
    return;
  }
  for (const std::string& exec_id : execs_left)
    if (agent) agent->SignalAsync(process->container_id, exec_id, SIGKILL);
  reactor_.Post([weak = weak_from_this(), container] {
    const auto sandbox = weak.lock();
    if (!sandbox) return;
    sandbox->reactor_.After(sandbox->options_.exec_end_timeout, [weak, container] {
      if (const auto waiting = weak.lock()) waiting->FinishPendingExit(container, true);
    });
  });
}

void Sandbox::FinishPendingExit(const std::shared_ptr<Container>& container, bool force) {
  std::vector<std::shared_ptr<Process>> execs;
  std::uint32_t status = 0;
  {
    auto table = table_.Lock();
    if (!container->pending_exit) return;
    for (const auto& [exec_id, exec] : container->execs)
      if (exec->alive()) execs.push_back(exec);
    if (!execs.empty() && !force) return;
    status = *container->pending_exit;
    container->pending_exit.reset();
  }
  for (const auto& exec : execs)
    FinishExit(exec, kExitKilled, true);
  FinishExit(container->init, status, true);
}

// The only way to Stopped: first come, first served, so that there is one exit.
void Sandbox::FinishExit(const std::shared_ptr<Process>& process, std::uint32_t status,
                         bool publish) {
  std::map<std::uint64_t, Process::Waiter> waiters;
  containerd::events::TaskExit event;
  Exit exit;
  {
    auto table = table_.Lock();
    if (!process->Transition(ProcessState::kStopped)) return;
    process->exit = {status, google::protobuf::util::TimeUtil::GetCurrentTime()};
    exit = process->exit;
    waiters = std::exchange(process->waiters, {});
    event.set_pid(pid(table));
  }
  if (process->io) process->io->ProcessEnded();
  event.set_container_id(process->container_id);
  event.set_id(process->is_init() ? process->container_id : process->exec_id);
  event.set_exit_status(status);
  *event.mutable_exited_at() = exit.at;
  if (publish) events_.Publish("/tasks/exit", event);
  Log(LogLevel::kInfo, "process ended",
      {{field::kContainerId, process->container_id},
       {field::kExecId, process->exec_id},
       {field::kExitStatus, status}});
  for (const auto& [id, waiter] : waiters)
    waiter(exit);
  if (process->is_init()) EndIfOver();
}

void Sandbox::OnVmLost(const std::string& why) {
  Log(LogLevel::kError, "the VM is lost",
      {{field::kSandboxId, options_.sandbox_id}, {field::kError, why}});
  std::vector<std::shared_ptr<Process>> processes;  // Execs before their init.
  {
    auto table = table_.Lock();
    if (table->stage != Stage::kUp) return;
    for (const auto& [id, container] : table->containers) {
      for (const auto& [exec_id, exec] : container->execs)
        processes.push_back(exec);
      processes.push_back(container->init);
      container->pending_exit.reset();
    }
  }
  for (const auto& process : processes)
    FinishExit(process, kExitUnknown, true);
  // A container that is just being created fails by itself, and must find the sandbox ended.
  auto table = table_.Lock();
  if (table->stage != Stage::kUp) return;
  table->stage = Stage::kEnding;
  pool_.Post([self = shared_from_this()] { self->EndUvm(); });
}

// The UVM ends with the sandbox's first container, once nothing else runs in it.
void Sandbox::EndIfOver() {
  auto table = table_.Lock();
  if (table->stage != Stage::kUp) return;
  const auto first = table->containers.find(options_.sandbox_id);
  if (first != table->containers.end() && !first->second->init->stopped()) return;
  for (const auto& [id, container] : table->containers)
    if (!container->init->stopped()) return;
  table->stage = Stage::kEnding;
  pool_.Post([self = shared_from_this()] { self->EndUvm(); });
}

void Sandbox::EndUvm() {
  volume_watch_->Stop();
  std::shared_ptr<Uvm> uvm;
  std::vector<std::shared_ptr<ProcessIo>> streams;
  std::optional<Config> config;
  NetworkNamespace netns;
  {
    auto table = table_.Lock();
    uvm = table->uvm;
    netns = table->netns;
    config = table->config;
    for (const auto& [id, container] : table->containers) {
      if (container->init->io) streams.push_back(container->init->io);
      for (const auto& [exec_id, exec] : container->execs)
        if (exec->io) streams.push_back(exec->io);
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + options_.drain_timeout;
  for (const auto& io : streams) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (!io->WaitDrained(std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left),
                                  std::chrono::milliseconds(0))))
      io->Cancel();
  }
  if (uvm) {
    // Best effort: the VM ends whatever the agent answers.
    if (const auto agent = uvm->agent()) (void)agent->DestroySandbox(kDestroySandboxTimeout);
    uvm->Stop();
    Disconnect(netns);
  }
  if (config) RemoveDisks(*config);
  auto table = table_.Lock();
  table->stage = Stage::kGone;
  table->uvm = nullptr;
}

void Sandbox::RemoveDisks(const Config& config) {
  std::error_code ignored;
  std::filesystem::remove_all(DiskDir(config), ignored);
  for (const std::string& disk : std::exchange(*volume_disks_.Lock(), {}))
    std::filesystem::remove(disk, ignored);
}

void Sandbox::Disconnect(const NetworkNamespace& netns) {
  if (const auto gone = DisconnectPodNetwork(netns); !gone)
    Log(LogLevel::kError, "cannot undo the redirection of the pod's interfaces",
        {{field::kPath, netns.path}, {field::kError, gone.error().message()}});
}

void Sandbox::Terminate() {
  cancel_create_ = true;
  std::vector<std::shared_ptr<Process>> processes;
  bool end = false;
  {
    auto table = table_.Lock();
    for (const auto& [id, container] : table->containers) {
      for (const auto& [exec_id, exec] : container->execs)
        processes.push_back(exec);
      processes.push_back(container->init);
    }
    end = table->stage == Stage::kUp;
    if (end) table->stage = Stage::kEnding;
  }
  for (const auto& process : processes)
    FinishExit(process, kExitKilled, true);
  if (end) EndUvm();
}

void Sandbox::OomLoop() {
  std::shared_ptr<Agent> agent;
  {
    auto table = table_.Lock();
    if (table->uvm && table->stage == Stage::kUp) agent = table->uvm->agent();
  }
  if (!agent) return;
  agent->GetOomEvent([weak = weak_from_this()](const Result<std::string>& container_id) {
    const auto sandbox = weak.lock();
    if (!sandbox) return;
    if (!container_id) {
      Log(LogLevel::kDebug, "no more out-of-memory events",
          {{field::kError, container_id.error().message()}});
      return;
    }
    containerd::events::TaskOOM event;
    event.set_container_id(*container_id);
    sandbox->events_.Publish("/tasks/oom", event);
    sandbox->OomLoop();
  });
}

}  // namespace kata_cc::shim
