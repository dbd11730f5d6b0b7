// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/fake_guest.h"

#include <google/protobuf/empty.pb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "proto/health.pb.h"

namespace kata_cc::shim {
namespace {

using google::protobuf::Empty;

std::string Key(const std::string& container_id, const std::string& exec_id) {
  return container_id + "/" + exec_id;
}

void Finish(GuestScript::Process* process, int status) {
  process->status = status;
  for (ttrpc::Responder& waiter : process->waiting) {
    grpc::WaitProcessResponse response;
    response.set_status(status);
    std::move(waiter).Reply(response);
  }
  process->waiting.clear();
  if (process->hold_output) return;
  for (ttrpc::Responder& reader : process->reading)
    std::move(reader).Reply(grpc::ReadStreamResponse());
  process->reading.clear();
}

class FakeVm : public Vm {
 public:
  FakeVm(std::shared_ptr<FakeVmState> state, std::shared_ptr<FakeAgent> agent)
      : state_(std::move(state)), agent_(std::move(agent)) {}
  ~FakeVm() override { (void)Stop(); }

  Result<void> Start() override {
    vmm_.emplace(TRY(ChildProcess::Spawn({"sleep", "1000"})));
    state_->vmm_pidfd = vmm_->pidfd();
    state_->started = true;
    return {};
  }
  Result<void> Stop() override {
    vmm_.reset();
    state_->stopped = true;
    return {};
  }
  Result<UniqueFd> ConnectAgent(std::chrono::steady_clock::time_point deadline) override {
    if (!state_->boots) {
      std::this_thread::sleep_until(deadline);
      return Error(Code::kDeadlineExceeded, "no agent; console: Kernel panic - not syncing");
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      return ErrnoError(errno, "socketpair");
    agent_->Serve(UniqueFd(ends[1]));
    return UniqueFd(ends[0]);
  }
  Result<void> AttachDisk(const VmDisk& disk) override {
    if (!state_->disks.Lock()->insert(disk.id).second)
      return Error(Code::kAlreadyExists, "disk " + disk.id);
    return {};
  }
  Result<void> DetachDisk(const std::string& id) override {
    if (state_->disks.Lock()->erase(id) == 0) return Error(Code::kNotFound, "disk " + id);
    return {};
  }
  Result<UniqueFd> OpenVmmPidfd() const override {
    UniqueFd copy(::dup(vmm_->pidfd()));
    if (!copy.valid()) return ErrnoError(errno, "dup");
    return copy;
  }
  pid_t vmm_pid() const override { return ::getpid(); }
  std::string ConsoleTail() const override { return "Kernel panic - not syncing"; }

 private:
  std::shared_ptr<FakeVmState> state_;
  std::shared_ptr<FakeAgent> agent_;
  std::optional<ChildProcess> vmm_;
};

}  // namespace

FakeAgent::FakeAgent(Reactor& reactor, WorkerPool& pool)
    : reactor_(reactor), server_(std::make_shared<ttrpc::Server>(reactor, pool)) {
  server_->Register("grpc.Health", "Check", [](const ttrpc::Call&, ttrpc::Responder responder) {
    grpc::HealthCheckResponse response;
    response.set_status(grpc::HealthCheckResponse::SERVING);
    std::move(responder).Reply(response);
  });
  RegisterProcessMethods();
}

FakeAgent::~FakeAgent() {
  script.Lock()->unanswered.clear();
}

void FakeAgent::Serve(UniqueFd stream) {
  auto shared = std::make_shared<UniqueFd>(std::move(stream));
  reactor_.Post([server = server_, shared] { (void)server->Serve(std::move(*shared)); });
}

void FakeAgent::Hangup() {
  reactor_.Post([server = server_] { server->Close(); });
}

void FakeAgent::EndOutput(const std::string& key, const std::string& text) {
  auto guest = script.Lock();
  GuestScript::Process& process = guest->processes[key];
  process.hold_output = false;
  std::string left = text;
  for (ttrpc::Responder& reader : std::exchange(process.reading, {})) {
    grpc::ReadStreamResponse response;
    response.set_data(std::exchange(left, ""));
    std::move(reader).Reply(response);
  }
}

void FakeAgent::Exit(const std::string& key, int status) {
  auto locked = script.Lock();
  Finish(&locked->processes[key], status);
}

template <typename Request>
void FakeAgent::Handle(
    const char* method,
    std::function<void(GuestScript&, const Request&, ttrpc::Responder)> handler) {
  server_->Register("grpc.AgentService", method,
                    [this, method, handler = std::move(handler)](const ttrpc::Call& call,
                                                                 ttrpc::Responder responder) {
                      Request request;
                      request.ParseFromString(call.payload);
                      auto locked = script.Lock();
                      std::string line = method;
                      if constexpr (requires { request.container_id(); })
                        line += " " + request.container_id();
                      if constexpr (requires { request.exec_id(); })
                        line += "/" + request.exec_id();
                      locked->calls.push_back(line);
                      if (const auto found = locked->refused.find(method);
                          found != locked->refused.end())
                        return std::move(responder).Fail(found->second);
                      if (locked->silent.contains(method)) {
                        locked->unanswered.push_back(std::move(responder));
                        return;
                      }
                      handler(*locked, request, std::move(responder));
                    });
}

void FakeAgent::RegisterProcessMethods() {
  const auto ok = [](GuestScript&, const auto&, ttrpc::Responder responder) {
    std::move(responder).Reply(Empty());
  };
  Handle<grpc::SetPolicyRequest>(
      "SetPolicy", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        guest.policy = request.policy();
        std::move(responder).Reply(Empty());
      });
  Handle<grpc::CreateSandboxRequest>("CreateSandbox", ok);
  Handle<grpc::DestroySandboxRequest>("DestroySandbox", ok);
  Handle<grpc::CopyFileRequest>("CopyFile", ok);
  Handle<grpc::UpdateContainerRequest>("UpdateContainer", ok);
  Handle<grpc::PauseContainerRequest>("PauseContainer", ok);
  Handle<grpc::ResumeContainerRequest>("ResumeContainer", ok);
  Handle<grpc::RemoveContainerRequest>("RemoveContainer", ok);
  Handle<grpc::TtyWinResizeRequest>("TtyWinResize", ok);
  Handle<grpc::StartContainerRequest>("StartContainer", ok);
  Handle<grpc::CreateContainerRequest>(
      "CreateContainer", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        guest.created[request.container_id()] = request;
        std::move(responder).Reply(Empty());
      });
  Handle<grpc::ExecProcessRequest>(
      "ExecProcess", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        guest.execs[request.exec_id()] = request;
        std::move(responder).Reply(Empty());
      });
  Handle<grpc::StatsContainerRequest>(
      "StatsContainer", [](GuestScript&, const auto&, ttrpc::Responder responder) {
        grpc::StatsContainerResponse response;
        response.mutable_cgroup_stats()->mutable_memory_stats()->mutable_usage()->set_usage(4096);
        std::move(responder).Reply(response);
      });
  Handle<grpc::GetOOMEventRequest>("GetOOMEvent",
                                   [](GuestScript& guest, const auto&, ttrpc::Responder responder) {
                                     guest.unanswered.push_back(std::move(responder));
                                   });
  Handle<grpc::WaitProcessRequest>(
      "WaitProcess", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        auto& process = guest.processes[Key(request.container_id(), request.exec_id())];
        process.waiting.push_back(std::move(responder));
        if (process.status) Finish(&process, *process.status);
      });
  Handle<grpc::SignalProcessRequest>(
      "SignalProcess", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        Finish(&guest.processes[Key(request.container_id(), request.exec_id())],
               128 + static_cast<int>(request.signal()));
        std::move(responder).Reply(Empty());
      });
  const auto read = [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
    auto& process = guest.processes[Key(request.container_id(), request.exec_id())];
    grpc::ReadStreamResponse response;
    response.set_data(std::exchange(process.output, ""));
    if (response.data().empty() && (!process.status || process.hold_output)) {
      process.reading.push_back(std::move(responder));
      return;
    }
    std::move(responder).Reply(response);
  };
  Handle<grpc::ReadStreamRequest>("ReadStdout", read);
  Handle<grpc::ReadStreamRequest>("ReadStderr", read);
  Handle<grpc::WriteStreamRequest>(
      "WriteStdin", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        guest.processes[Key(request.container_id(), request.exec_id())].input += request.data();
        grpc::WriteStreamResponse response;
        response.set_len(static_cast<std::uint32_t>(request.data().size()));
        std::move(responder).Reply(response);
      });
  Handle<grpc::CloseStdinRequest>(
      "CloseStdin", [](GuestScript& guest, const auto& request, ttrpc::Responder responder) {
        guest.processes[Key(request.container_id(), request.exec_id())].stdin_closed = true;
        std::move(responder).Reply(Empty());
      });
}

Result<std::unique_ptr<Vm>> MakeFakeVm(VmConfig config, std::shared_ptr<FakeVmState> state,
                                       std::shared_ptr<FakeAgent> agent) {
  *state->config.Lock() = std::move(config);
  return std::unique_ptr<Vm>(new FakeVm(std::move(state), std::move(agent)));
}

}  // namespace kata_cc::shim
