// SPDX-License-Identifier: Apache-2.0
#include "shim/service/task_service.h"

#include <google/protobuf/empty.pb.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "proto/containerd/task.pb.h"

namespace kata_cc::shim {
namespace {

using google::protobuf::Empty;
using namespace containerd::task::v2;  // NOLINT(google-build-using-namespace): the messages here.

// containerd gives Shutdown three seconds.
constexpr std::chrono::milliseconds kShutdownTimeout{2500};

template <typename Request>
std::string ExecId(const Request& request) {
  if constexpr (requires { request.exec_id(); }) {
    return request.exec_id();
  } else {
    return {};
  }
}

// Calls that a client polls are of no interest unless they fail.
bool IsQuiet(const std::string& method) {
  return method == "State" || method == "Pids" || method == "Connect" || method == "Stats";
}

void LogCall(const std::string& method, const std::string& id, const std::string& exec_id,
             std::chrono::steady_clock::time_point began, const Error* error) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::steady_clock::now() - began)
                      .count();
  const LogLevel level = error == nullptr && IsQuiet(method) ? LogLevel::kDebug : LogLevel::kInfo;
  if (error == nullptr) {
    Log(level, "task call",
        {{field::kMethod, method},
         {field::kContainerId, id.substr(0, 80)},
         {field::kExecId, exec_id.substr(0, 80)},
         {field::kDurationMs, ms}});
  } else {
    Log(level, "task call failed",
        {{field::kMethod, method},
         {field::kContainerId, id.substr(0, 80)},
         {field::kExecId, exec_id.substr(0, 80)},
         {field::kDurationMs, ms},
         {field::kError, error->message()}});
  }
}

// function: Result<Response>(const Request&).
template <typename Request, typename Response, typename Function>
ttrpc::Handler Edge(Function function) {
  return ttrpc::Unary<Request, Response>([function = std::move(function)](
                                             const ttrpc::Call& call,
                                             const Request& request) -> Result<Response> {
    const auto began = std::chrono::steady_clock::now();
    Result<Response> result = function(request);
    LogCall(call.method, request.id(), ExecId(request), began, result ? nullptr : &result.error());
    return result;
  });
}

// As Edge, for a function that returns Result<void>.
template <typename Request, typename Function>
ttrpc::Handler EdgeEmpty(Function function) {
  return Edge<Request, Empty>(
      [function = std::move(function)](const Request& request) -> Result<Empty> {
        (void)TRY(function(request));
        return Empty();
      });
}

}  // namespace

void TaskService::Register(ttrpc::Server* server) {
  for (const char* service : {"containerd.task.v2.Task", "containerd.task.v3.Task"})
    RegisterAs(service, server);
}

ttrpc::Handler TaskService::Blocking(ttrpc::Handler handler) {
  return [this, handler = std::move(handler)](ttrpc::Call call, ttrpc::Responder responder) {
    // A std::function must be copyable, a responder is not.
    auto shared = std::make_shared<std::pair<ttrpc::Call, ttrpc::Responder>>(std::move(call),
                                                                             std::move(responder));
    pool_.Post([handler, shared] { handler(std::move(shared->first), std::move(shared->second)); });
  };
}

void TaskService::RegisterAs(const std::string& service, ttrpc::Server* server) {
  const std::shared_ptr<Sandbox> sandbox = sandbox_;
  const auto add = [&](const char* method, ttrpc::Handler handler) {
    server->Register(service, method, std::move(handler));
  };
  add("State", Edge<StateRequest, StateResponse>([sandbox](const StateRequest& request) {
        return sandbox->State(request.id(), request.exec_id());
      }));
  add("Create", Blocking(Edge<CreateTaskRequest, CreateTaskResponse>(
                    [sandbox](const CreateTaskRequest& request) -> Result<CreateTaskResponse> {
                      CreateTaskResponse response;
                      response.set_pid(TRY(sandbox->CreateTask(request)));
                      return response;
                    })));
  add("Start", Blocking(Edge<StartRequest, StartResponse>(
                   [sandbox](const StartRequest& request) -> Result<StartResponse> {
                     StartResponse response;
                     response.set_pid(TRY(sandbox->Start(request.id(), request.exec_id())));
                     return response;
                   })));
  add("Delete",
      Blocking(Edge<DeleteRequest, DeleteResponse>([sandbox](const DeleteRequest& request) {
        return sandbox->Delete(request.id(), request.exec_id());
      })));
  add("Pids", Edge<PidsRequest, PidsResponse>(
                  [sandbox](const PidsRequest& request) -> Result<PidsResponse> {
                    PidsResponse response;
                    for (const std::uint32_t pid : TRY(sandbox->Pids(request.id())))
                      response.add_processes()->set_pid(pid);
                    return response;
                  }));
  add("Pause", Blocking(EdgeEmpty<PauseRequest>([sandbox](const PauseRequest& request) {
        return sandbox->Pause(request.id());
      })));
  add("Resume", Blocking(EdgeEmpty<ResumeRequest>([sandbox](const ResumeRequest& request) {
        return sandbox->Resume(request.id());
      })));
  add("Checkpoint", EdgeEmpty<CheckpointTaskRequest>([](const CheckpointTaskRequest&) {
        return Result<void>(Error(Code::kUnimplemented, "checkpoint: a VM's memory stays in it"));
      }));
  add("Kill", Blocking(EdgeEmpty<KillRequest>(
                  [sandbox](const KillRequest& request) { return sandbox->Kill(request); })));
  add("Exec", EdgeEmpty<ExecProcessRequest>(
                  [sandbox](const ExecProcessRequest& request) { return sandbox->Exec(request); }));
  add("ResizePty", Blocking(EdgeEmpty<ResizePtyRequest>([sandbox](const ResizePtyRequest& request) {
        return sandbox->ResizePty(request);
      })));
  add("CloseIO", EdgeEmpty<CloseIORequest>([sandbox](const CloseIORequest& request) {
        return request.stdin() ? sandbox->CloseIo(request.id(), request.exec_id()) : Result<void>();
      }));
  add("Update", Blocking(EdgeEmpty<UpdateTaskRequest>([sandbox](const UpdateTaskRequest& request) {
        return sandbox->Update(request);
      })));
  add("Wait", Wait());
  add("Stats", Blocking(Edge<StatsRequest, StatsResponse>(
                   [sandbox](const StatsRequest& request) -> Result<StatsResponse> {
                     const auto metrics = TRY(sandbox->Stats(request.id()));
                     StatsResponse response;
                     response.mutable_stats()->set_type_url(metrics.GetTypeName());
                     response.mutable_stats()->set_value(metrics.SerializeAsString());
                     return response;
                   })));
  add("Connect", Edge<ConnectRequest, ConnectResponse>(
                     [sandbox](const ConnectRequest& request) -> Result<ConnectResponse> {
                       ConnectResponse response;
                       response.set_shim_pid(static_cast<std::uint32_t>(::getpid()));
                       response.set_task_pid(sandbox->TaskPid(request.id()));
                       response.set_version("2");
                       return response;
                     }));
  add("Shutdown", Blocking(Shutdown()));
}

// Parks the responder until the process ends, which may take weeks.
ttrpc::Handler TaskService::Wait() {
  return [sandbox = sandbox_](const ttrpc::Call& call, ttrpc::Responder responder) {
    const auto began = std::chrono::steady_clock::now();
    WaitRequest request;
    if (!request.ParseFromString(call.payload))
      return std::move(responder).Fail(Error(Code::kInvalidArgument, "Wait: malformed request"));
    auto parked = std::make_shared<ttrpc::Responder>(std::move(responder));
    const std::string id = request.id();
    const std::string exec_id = request.exec_id();
    const auto waiter = sandbox->Wait(id, exec_id, [parked, id, exec_id, began](const Exit& exit) {
      WaitResponse response;
      response.set_exit_status(exit.status);
      *response.mutable_exited_at() = exit.at;
      std::move(*parked).Reply(response);
      LogCall("Wait", id, exec_id, began, nullptr);
    });
    if (!waiter) {
      LogCall("Wait", id, exec_id, began, &waiter.error());
      return std::move(*parked).Fail(waiter.error());
    }
    if (*waiter == 0) return;  // Answered.
    const std::weak_ptr<Sandbox> weak = sandbox;
    parked->OnAbandoned([weak, id, exec_id, waiter_id = *waiter] {
      if (const auto alive = weak.lock()) alive->DropWaiter(id, exec_id, waiter_id);
    });
  };
}

ttrpc::Handler TaskService::Shutdown() {
  return [this](const ttrpc::Call& call, ttrpc::Responder responder) {
    const auto began = std::chrono::steady_clock::now();
    ShutdownRequest request;
    if (!request.ParseFromString(call.payload))
      return std::move(responder).Fail(
          Error(Code::kInvalidArgument, "Shutdown: malformed request"));
    const bool over = sandbox_->Shutdown(kShutdownTimeout);
    LogCall("Shutdown", request.id(), "", began, nullptr);
    std::move(responder).Reply(Empty());
    // With containers left it is not for us; with the VM still ending, the end comes after it.
    if (over || sandbox_->empty()) on_shutdown_();
  };
}

}  // namespace kata_cc::shim
