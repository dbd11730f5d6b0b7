// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/agent_service.h"

#include <google/protobuf/empty.pb.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "agent/attest/sha2.h"
#include "agent/network/network.h"
#include "agent/rpc/guest.h"
#include "agent/rpc/metrics.h"
#include "proto/agent.pb.h"
#include "proto/health.pb.h"

namespace kata_cc::agent {
namespace {

using google::protobuf::Empty;
using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

// What this agent does not do. A method in neither this list nor the table fails a test.
constexpr std::array<std::string_view, 12> kUnimplemented = {
    "UpdateEphemeralMounts", "RemoveStaleVirtiofsShareMounts",
    "GetIPTables",           "SetIPTables",
    "GetDiagnosticData",     "MemAgentMemcgSet",
    "MemAgentCompactSet",    "OnlineCPUMem",
    "MemHotplugByProbe",     "AddSwap",
    "AddSwapPath",           "ResizeVolume",
};

template <typename T>
void Answer(const Result<T>& result, PendingCall& call) {
  if (!result) {
    call.Fail(result.error());
  } else if constexpr (std::is_void_v<T>) {
    call.Succeed(Empty());
  } else {
    call.Succeed(*result);
  }
}

template <typename T>
Reply<T> ReplyTo(const std::shared_ptr<PendingCall>& call) {
  Reply<T> reply;
  reply.done = [call](const Result<T>& result) { Answer(result, *call); };
  reply.wanted = [call] { return call->wanted(); };
  reply.on_abandoned = [call](std::function<void()> callback) {
    call->OnAbandoned(std::move(callback));
  };
  return reply;
}

}  // namespace

// Messages are created by the descriptor that the handler's type was added for.
template <typename Request, typename Function>
void AgentService::Add(const char* name, Function function, bool quiet) {
  methods_[name] = {false, quiet, [function](const Message& request, const Call& call) {
                      Answer(function(static_cast<const Request&>(request)), *call);
                    }};
}

template <typename Request, typename Response>
void AgentService::AddWaiting(const char* name,
                              void (ContainerService::*function)(const Request&, Reply<Response>)) {
  methods_[name] = {true, true, [this, function](const Message& request, const Call& call) {
                      (containers_.*function)(static_cast<const Request&>(request),
                                              ReplyTo<Response>(call));
                    }};
}

AgentService::AgentService(PolicyGate& gate, ContainerService& containers,
                           HostDataSource& host_data, bool init)
    : gate_(gate), containers_(containers), host_data_(host_data), init_(init) {
  AddContainerMethods();
  AddStreamMethods();
  AddMachineMethods();
}

void AgentService::AddContainerMethods() {
  ContainerService* const c = &containers_;
  Add<grpc::CreateSandboxRequest>("CreateSandbox",
                                  [c](const auto& r) { return c->CreateSandbox(r); });
  Add<grpc::DestroySandboxRequest>("DestroySandbox",
                                   [c](const auto&) { return c->DestroySandbox(); });
  Add<grpc::CopyFileRequest>(
      "CopyFile", [c](const auto& r) { return c->CopyFile(r); },
      /*quiet=*/true);
  Add<grpc::CreateContainerRequest>("CreateContainer",
                                    [c](const auto& r) { return c->CreateContainer(r); });
  Add<grpc::StartContainerRequest>("StartContainer",
                                   [c](const auto& r) { return c->StartContainer(r); });
  Add<grpc::RemoveContainerRequest>("RemoveContainer",
                                    [c](const auto& r) { return c->RemoveContainer(r); });
  Add<grpc::ExecProcessRequest>("ExecProcess", [c](const auto& r) { return c->ExecProcess(r); });
  Add<grpc::SignalProcessRequest>("SignalProcess",
                                  [c](const auto& r) { return c->SignalProcess(r); });
  Add<grpc::UpdateContainerRequest>("UpdateContainer",
                                    [c](const auto& r) { return c->UpdateContainer(r); });
  Add<grpc::PauseContainerRequest>(
      "PauseContainer", [c](const auto& r) { return c->PauseContainer(r.container_id()); });
  Add<grpc::ResumeContainerRequest>(
      "ResumeContainer", [c](const auto& r) { return c->ResumeContainer(r.container_id()); });
  Add<grpc::StatsContainerRequest>(
      "StatsContainer", [c](const auto& r) { return c->StatsContainer(r.container_id()); },
      /*quiet=*/true);
  Add<grpc::VolumeStatsRequest>(
      "GetVolumeStats", [c](const auto& r) { return c->VolumeStats(r.volume_guest_path()); },
      /*quiet=*/true);
}

void AgentService::AddStreamMethods() {
  ContainerService* const c = &containers_;
  Add<grpc::CloseStdinRequest>("CloseStdin", [c](const auto& r) { return c->CloseStdin(r); });
  Add<grpc::TtyWinResizeRequest>("TtyWinResize", [c](const auto& r) { return c->TtyWinResize(r); });
  AddWaiting<grpc::WaitProcessRequest>("WaitProcess", &ContainerService::WaitProcess);
  AddWaiting<grpc::WriteStreamRequest>("WriteStdin", &ContainerService::WriteStdin);
  AddWaiting<grpc::ReadStreamRequest>("ReadStdout", &ContainerService::ReadStdout);
  AddWaiting<grpc::ReadStreamRequest>("ReadStderr", &ContainerService::ReadStderr);
  methods_["GetOOMEvent"] = {true, true, [c](const Message&, const Call& call) {
                               c->GetOOMEvent(ReplyTo<grpc::OOMEvent>(call));
                             }};
}

void AgentService::AddMachineMethods() {
  const bool init = init_;
  const Error not_init(Code::kFailedPrecondition, "this agent is not PID 1 of its machine");
  Add<grpc::GuestDetailsRequest>("GetGuestDetails", [init](const auto& r) {
    return Result<grpc::GuestDetailsResponse>(GuestDetails(r, init));
  });
  Add<grpc::SetGuestDateTimeRequest>("SetGuestDateTime", [init, not_init](const auto& r) {
    return init ? SetDateTime(r) : Result<void>(not_init);
  });
  Add<grpc::ReseedRandomDevRequest>("ReseedRandomDev", [init, not_init](const auto& r) {
    return init ? ReseedRandom(r) : Result<void>(not_init);
  });
  Add<grpc::GetMetricsRequest>(
      "GetMetrics",
      [](const auto&) {
        grpc::Metrics metrics;
        metrics.set_metrics(GuestMetrics());
        return Result<grpc::Metrics>(std::move(metrics));
      },
      /*quiet=*/true);
  AddNetworkMethods();
  // Its own success puts another policy in force, so it has no state of the old one to change.
  methods_["SetPolicy"] = {
      true, false, [this](const Message& request, const Call& call) { SetPolicy(request, call); }};
}

// Elsewhere than in a guest of its own, the network is not the agent's.
void AgentService::AddNetworkMethods() {
  const bool init = init_;
  const Error not_init(Code::kFailedPrecondition, "this agent is not PID 1 of its machine");
  Add<grpc::UpdateInterfaceRequest>("UpdateInterface",
                                    [this, not_init](const auto& r) -> Result<types::Interface> {
                                      if (!init_) return Error(not_init);
                                      TRY(load_network_());
                                      return UpdateInterface(r.interface());
                                    });
  Add<grpc::UpdateRoutesRequest>("UpdateRoutes", [init, not_init](const auto& r) {
    return init ? UpdateRoutes(r.routes()) : Result<grpc::Routes>(not_init);
  });
  Add<grpc::AddARPNeighborsRequest>("AddARPNeighbors", [init, not_init](const auto& r) {
    return init ? AddNeighbors(r.neighbors()) : Result<void>(not_init);
  });
  Add<grpc::ListInterfacesRequest>("ListInterfaces", [](const auto&) { return ListInterfaces(); });
  Add<grpc::ListRoutesRequest>("ListRoutes", [](const auto&) { return ListRoutes(); });
}

void AgentService::SetPolicy(const Message& request, const Call& call) {
  const std::string& text = static_cast<const grpc::SetPolicyRequest&>(request).policy();
  if (text.size() > kMaxPolicyBytes) {
    call->Fail(Error(Code::kInvalidArgument, "SetPolicyRequest: the policy is larger than " +
                                                 std::to_string(kMaxPolicyBytes) + " bytes"));
    return;
  }
  const auto bound = CheckHostData(host_data_, Sha256(text), "SetPolicyRequest");
  if (!bound) {
    call->Fail(bound.error());
    return;
  }
  Answer(gate_.Replace(call->admission(), text), *call);
}

const ServiceDescriptor& AgentService::descriptor() {
  return *grpc::SetPolicyRequest::descriptor()->file()->FindServiceByName("AgentService");
}

bool AgentService::Implements(std::string_view method) const {
  return methods_.find(method) != methods_.end();
}

bool AgentService::IsKnownUnimplemented(std::string_view method) {
  return std::find(kUnimplemented.begin(), kUnimplemented.end(), method) != kUnimplemented.end();
}

void AgentService::Register(const Registrar& registrar) {
  const ServiceDescriptor& service = descriptor();
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor* method = service.method(i);
    registrar(service.full_name(), method->name(),
              [this, method](ttrpc::Call call, ttrpc::Responder responder) {
                Handle(*method, std::move(call), std::move(responder));
              });
  }
}

// Output that nobody may read must not hold its process up.
void AgentService::DiscardDenied(const Message& request, const MethodDescriptor& descriptor) {
  if (descriptor.input_type() != grpc::ReadStreamRequest::descriptor()) return;
  containers_.DiscardOutput(static_cast<const grpc::ReadStreamRequest&>(request),
                            descriptor.name() == "ReadStderr");
}

// The one way from the wire to a handler.
void AgentService::Handle(const MethodDescriptor& descriptor, ttrpc::Call call,
                          ttrpc::Responder responder) {
  const auto it = methods_.find(descriptor.name());
  const Method* method = it == methods_.end() ? nullptr : &it->second;
  const bool quiet = method != nullptr && method->quiet;
  const auto pending = std::make_shared<PendingCall>(
      descriptor.name(), quiet ? LogLevel::kDebug : LogLevel::kInfo, std::move(responder));

  const std::unique_ptr<Message> request(
      MessageFactory::generated_factory()->GetPrototype(descriptor.input_type())->New());
  if (!request->ParseFromString(call.payload)) {
    pending->Fail(Error(Code::kInvalidArgument, descriptor.name() + ": malformed request"));
    return;
  }
  call.payload = {};
  PolicyGate::Limits limits;
  limits.may_change_state = method == nullptr || !method->waits;
  limits.deadline = call.deadline;
  auto admission = gate_.Admit(*request, limits);
  if (!admission) {
    if (admission.error().code() == Code::kPermissionDenied) DiscardDenied(*request, descriptor);
    pending->Fail(admission.error());
    return;
  }
  const bool blank = admission->blank();
  if (blank) DiscardDenied(*request, descriptor);
  pending->Admit(*std::move(admission));
  if (blank) {
    pending->Succeed(grpc::ReadStreamResponse());
  } else if (method == nullptr) {
    pending->Fail(Error(Code::kUnimplemented, descriptor.name() + ": not implemented"));
  } else {
    method->run(*request, pending);
  }
}

void RegisterHealth(const AgentService::Registrar& registrar) {
  registrar("grpc.Health", "Check",
            ttrpc::Unary<grpc::CheckRequest, grpc::HealthCheckResponse>(
                [](const ttrpc::Call&, const grpc::CheckRequest&) {
                  grpc::HealthCheckResponse response;
                  response.set_status(grpc::HealthCheckResponse::SERVING);
                  return Result<grpc::HealthCheckResponse>(std::move(response));
                }));
  registrar("grpc.Health", "Version",
            ttrpc::Unary<grpc::CheckRequest, grpc::VersionCheckResponse>(
                [](const ttrpc::Call&, const grpc::CheckRequest&) {
                  grpc::VersionCheckResponse response;
                  response.set_grpc_version(kApiVersion);
                  response.set_agent_version(kAgentVersion);
                  return Result<grpc::VersionCheckResponse>(std::move(response));
                }));
}

}  // namespace kata_cc::agent
