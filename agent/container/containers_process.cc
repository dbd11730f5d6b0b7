// SPDX-License-Identifier: Apache-2.0
// Containers: the sandbox, and what is done to containers and processes that run.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <string_view>
#include <utility>

#include "agent/container/containers.h"
#include "agent/storage/beneath.h"
#include "base/file.h"
#include "base/log.h"

namespace kata_cc::agent {
namespace {

constexpr std::chrono::seconds kFreezePatience{10};
constexpr std::size_t kMaxHostnameBytes = 64;
constexpr int kMaxDnsLines = 64;
constexpr std::size_t kMaxDnsLineBytes = 1024;

Result<std::string> ResolvConf(const grpc::CreateSandboxRequest& request) {
  std::string text;
  if (request.dns_size() > kMaxDnsLines) {
    return Error(Code::kInvalidArgument, "sandbox: too many lines for resolv.conf");
  }
  for (const std::string& line : request.dns()) {
    if (line.size() > kMaxDnsLineBytes || line.find('\n') != std::string::npos ||
        line.find('\0') != std::string::npos) {
      return Error(Code::kInvalidArgument, "sandbox: not a line of resolv.conf");
    }
    text += line + "\n";
  }
  return text;
}

Result<void> CheckSandbox(const grpc::CreateSandboxRequest& request) {
  const std::string& name = request.hostname();
  if (name.size() > kMaxHostnameBytes || name.find('\0') != std::string::npos) {
    return Error(Code::kInvalidArgument, "sandbox: not a hostname");
  }
  if (!request.guest_hook_path().empty()) {
    return Error(Code::kInvalidArgument, "sandbox: hooks do not exist in this guest");
  }
  if (request.kernel_modules_size() > 0) {
    return Error(Code::kInvalidArgument, "sandbox: the guest's modules are those of its image");
  }
  return {};
}

// The first process of a pid namespace never sees a SIGTERM that it does not handle.
bool HandlesSigterm(pid_t pid) {
  const auto content = ReadFile("/proc/" + std::to_string(pid) + "/status", 65536);
  if (!content) return true;
  const std::string text = AsString(*content);
  constexpr std::string_view kKey = "\nSigCgt:\t";
  const std::size_t at = text.find(kKey);
  if (at == std::string::npos) return true;
  std::uint64_t caught = 0;
  std::from_chars(text.data() + at + kKey.size(), text.data() + text.size(), caught, 16);
  return (caught >> (SIGTERM - 1) & 1U) != 0;
}

}  // namespace

Result<void> Containers::CreateSandbox(const grpc::CreateSandboxRequest& request) {
  TRY(CheckSandbox(request));
  const std::string resolv_conf = TRY(ResolvConf(request));
  {
    auto table = table_.Lock();
    if (table->sandbox || table->sandbox_changing) {
      return Error(Code::kAlreadyExists, "sandbox: there is one");
    }
    table->sandbox_changing = true;
  }
  Result<Sandbox> made = [&]() -> Result<Sandbox> {
    Sandbox sandbox;
    auto namespaces = TRY(SandboxNamespaces::Create(request.hostname()));
    sandbox.namespaces = std::make_shared<SandboxNamespaces>(std::move(namespaces));
    sandbox.wants_pid_namespace = request.sandbox_pidns();
    sandbox.storages = TRY(storage_->MountAll(request.storages(), 0));
    if (!paths_.resolv_conf.empty() && !resolv_conf.empty()) {
      TRY(WriteFile(paths_.resolv_conf, AsBytes(resolv_conf)));
    }
    return sandbox;
  }();
  auto table = table_.Lock();
  table->sandbox_changing = false;
  if (!made) return std::move(made).error().With("sandbox");
  table->sandbox = *std::move(made);
  return {};
}

Result<void> Containers::DestroySandbox() {
  std::vector<std::string> ids;
  {
    auto table = table_.Lock();
    for (const auto& [id, container] : table->containers)
      ids.push_back(id);
  }
  Result<void> result;
  for (const std::string& id : ids) {
    auto removed = RemoveOne(id);
    if (!removed && removed.error().code() != Code::kNotFound) result = std::move(removed);
  }
  TRY(std::move(result));
  std::optional<Sandbox> gone;
  {
    auto table = table_.Lock();
    gone = std::exchange(table->sandbox, std::nullopt);
  }
  if (gone) {
    while (!gone->storages.empty())
      gone->storages.pop_back();
  }
  storage_->ReleaseShared();
  reactor_.Post(WhileAlive([](Containers& self) {
    self.oom_->FailWaiters(Error(Code::kUnavailable, "the sandbox is gone"));
  }));
  return {};
}

Result<void> Containers::ExecProcess(const grpc::ExecProcessRequest& request) {
  const auto container = TRY(Find(request.container_id()));
  const std::string& exec_id = request.exec_id();
  const std::string what = "exec " + exec_id + " in " + container->id;
  if (exec_id.empty()) return Error(Code::kInvalidArgument, what + ": without an id");
  if (request.has_string_user()) {
    return Error(Code::kInvalidArgument, what + ": users by name are not supported");
  }
  grpc::Process process = TRY_CONTEXT(MakeGuestExec(request.process(), container->init_spec), what);
  if (paths_.unseal_process) TRY_CONTEXT(paths_.unseal_process(process), what);
  {
    auto table = table_.Lock();
    if (container->state != State::kRunning || container->paused) {
      return Error(Code::kFailedPrecondition, what + ": the container does not run");
    }
    if (container->execs.size() >= kMaxExecs) {
      return Error(Code::kResourceExhausted, what + ": too many processes");
    }
    if (exec_id == container->init_exec_id || !container->execs.emplace(exec_id, nullptr).second) {
      return Error(Code::kAlreadyExists, what + ": the id is in use");
    }
  }
  Process::Events events;
  events.on_exit = [weak = std::weak_ptr(alive_), id = container->id](pid_t pid) {
    if (const auto alive = weak.lock()) (*alive)->OnExecExit(id, pid);
  };
  events.on_done =
      WhileAlive([id = container->id, exec_id](Containers& self) { self.OnExecDone(id, exec_id); });
  auto launched = LaunchProcess(
      process.terminal(),
      [&](const Crun::Streams& streams) { return crun_->Exec(container->id, process, streams); },
      std::move(events));
  auto table = table_.Lock();
  if (!launched) {
    container->execs.erase(exec_id);
    return std::move(launched).error().With(what);
  }
  container->execs[exec_id] = *std::move(launched);
  return {};
}

Result<void> Containers::SignalProcess(const grpc::SignalProcessRequest& request) {
  const auto container = TRY(Find(request.container_id()));
  const auto process = TRY(FindProcess(request.container_id(), request.exec_id()));
  if (request.signal() == 0 || request.signal() > static_cast<std::uint32_t>(SIGRTMAX)) {
    return Error(Code::kInvalidArgument, "signal: no such signal");
  }
  int signal = static_cast<int>(request.signal());
  if (process == container->init && !process->exited()) {
    if (signal == SIGTERM && !HandlesSigterm(process->pid())) signal = SIGKILL;
    // Without an exec id it is the container that is meant, not its first process alone.
    if (signal == SIGKILL && request.exec_id().empty()) return container->cgroup.Kill();
  }
  return process->Signal(signal);
}

Result<void> Containers::UpdateContainer(const grpc::UpdateContainerRequest& request) {
  const auto container = TRY(Find(request.container_id()));
  grpc::LinuxResources resources = request.resources();
  resources.clear_devices();  // They stay as they were created.
  return crun_->Update(container->id, resources);
}

Result<void> Containers::PauseContainer(const std::string& container_id) {
  const auto container = TRY(Find(container_id));
  {
    auto table = table_.Lock();
    if (container->state != State::kRunning || container->paused) {
      return Error(Code::kFailedPrecondition, "pause " + container_id + ": it does not run");
    }
    container->paused = true;
  }
  auto frozen = container->cgroup.Freeze(kFreezePatience);
  if (!frozen) {
    auto table = table_.Lock();
    container->paused = false;
  }
  return frozen;
}

Result<void> Containers::ResumeContainer(const std::string& container_id) {
  const auto container = TRY(Find(container_id));
  {
    auto table = table_.Lock();
    if (!container->paused) {
      return Error(Code::kFailedPrecondition, "resume " + container_id + ": it is not paused");
    }
  }
  TRY(container->cgroup.Thaw());
  auto table = table_.Lock();
  container->paused = false;
  return {};
}

Result<grpc::StatsContainerResponse> Containers::StatsContainer(const std::string& container_id) {
  const auto container = TRY(Find(container_id));
  grpc::StatsContainerResponse response;
  *response.mutable_cgroup_stats() = TRY(container->cgroup.Stats());
  return response;
}

Result<grpc::VolumeStatsResponse> Containers::VolumeStats(const std::string& mount_point) {
  const std::string relative = TRY(RelativeTo(paths_.run_dir, mount_point));
  const UniqueFd volume = TRY(OpenBeneath(storage_->root(), relative));
  struct statfs status = {};
  if (::fstatfs(volume.get(), &status) != 0) return ErrnoError(errno, "volume");
  grpc::VolumeStatsResponse response;
  const auto block = static_cast<std::uint64_t>(status.f_bsize);
  grpc::VolumeUsage& bytes = *response.add_usage();
  bytes.set_unit(grpc::VolumeUsage::BYTES);
  bytes.set_total(status.f_blocks * block);
  bytes.set_available(status.f_bavail * block);
  bytes.set_used((status.f_blocks - status.f_bfree) * block);
  grpc::VolumeUsage& inodes = *response.add_usage();
  inodes.set_unit(grpc::VolumeUsage::INODES);
  inodes.set_total(status.f_files);
  inodes.set_available(status.f_ffree);
  inodes.set_used(status.f_files - status.f_ffree);
  return response;
}

Result<void> Containers::CloseStdin(const grpc::CloseStdinRequest& request) {
  TRY(FindProcess(request.container_id(), request.exec_id()))->CloseInput();
  return {};
}

Result<void> Containers::TtyWinResize(const grpc::TtyWinResizeRequest& request) {
  return TRY(FindProcess(request.container_id(), request.exec_id()))
      ->Resize(request.row(), request.column());
}

void Containers::WaitProcess(const grpc::WaitProcessRequest& request,
                             Reply<grpc::WaitProcessResponse> reply) {
  auto process = FindProcess(request.container_id(), request.exec_id());
  if (!process) return reply.done(std::move(process).error());
  (*process)->Wait(std::move(reply));
}

// Without data it is the end of the input, as Kata's second shim tells it.
void Containers::WriteStdin(const grpc::WriteStreamRequest& request,
                            Reply<grpc::WriteStreamResponse> reply) {
  auto process = FindProcess(request.container_id(), request.exec_id());
  if (!process) return reply.done(std::move(process).error());
  if (request.data().empty()) {
    (*process)->CloseInput();
    return reply.done(grpc::WriteStreamResponse());
  }
  (*process)->Write(request.data(), std::move(reply));
}

template <typename Request, typename Response>
void Containers::Read(OutputKind kind, const Request& request, Reply<Response> reply) {
  auto process = FindProcess(request.container_id(), request.exec_id());
  if (!process) return reply.done(std::move(process).error());
  (*process)->Read(kind, request.len(), std::move(reply));
}

void Containers::ReadStdout(const grpc::ReadStreamRequest& request,
                            Reply<grpc::ReadStreamResponse> reply) {
  Read(OutputKind::kStdout, request, std::move(reply));
}

void Containers::ReadStderr(const grpc::ReadStreamRequest& request,
                            Reply<grpc::ReadStreamResponse> reply) {
  Read(OutputKind::kStderr, request, std::move(reply));
}

void Containers::DiscardOutput(const grpc::ReadStreamRequest& request, bool is_stderr) {
  const auto process = FindProcess(request.container_id(), request.exec_id());
  if (process) (*process)->Discard(is_stderr ? OutputKind::kStderr : OutputKind::kStdout);
}

void Containers::GetOOMEvent(Reply<grpc::OOMEvent> reply) {
  reactor_.Post([weak = std::weak_ptr(alive_), reply = std::move(reply)] {
    if (const auto alive = weak.lock()) (*alive)->oom_->Next(reply);
  });
}

}  // namespace kata_cc::agent
