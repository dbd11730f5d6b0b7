// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/agent.h"

#include <utility>

#include "proto/health.pb.h"

namespace kata_cc::shim {
namespace {

constexpr char kAgentService[] = "grpc.AgentService";
constexpr char kHealthService[] = "grpc.Health";
constexpr Agent::Timeout kForever{0};

// Parses the response of a call that was answered, and passes it on.
template <typename Response, typename Function>
ttrpc::Client::Done Parsed(Function function) {
  return [function = std::move(function)](Result<std::string> answer) {
    if (!answer) return function(Result<Response>(std::move(answer).error()));
    Response response;
    if (!response.ParseFromString(*answer))
      return function(Result<Response>(Error(Code::kDataLoss, "agent: malformed response")));
    function(Result<Response>(std::move(response)));
  };
}

Result<void> Serving(const grpc::HealthCheckResponse& response) {
  if (response.status() == grpc::HealthCheckResponse::SERVING) return {};
  return Error(Code::kUnavailable, "agent: not serving");
}

}  // namespace

Result<void> Agent::Call(const char* method, const google::protobuf::MessageLite& request,
                         google::protobuf::MessageLite* response, Timeout timeout) {
  return client_->Call(kAgentService, method, request, response,
                       {.timeout = timeout, .metadata = {}});
}

void Agent::CallAsync(const char* method, const google::protobuf::MessageLite& request,
                      Timeout timeout, ttrpc::Client::Done done) {
  client_->CallAsync(kAgentService, method, request.SerializeAsString(),
                     {.timeout = timeout, .metadata = {}}, std::move(done));
}

Result<void> Agent::Check(Timeout timeout) {
  grpc::HealthCheckResponse response;
  (void)TRY(client_->Call(kHealthService, "Check", grpc::CheckRequest(), &response,
                          {.timeout = timeout, .metadata = {}}));
  return Serving(response);
}

Result<void> Agent::SetPolicy(const std::string& policy) {
  grpc::SetPolicyRequest request;
  request.set_policy(policy);
  return Call("SetPolicy", request, nullptr, request_timeout_);
}

Result<void> Agent::UpdateInterface(const types::Interface& interface) {
  grpc::UpdateInterfaceRequest request;
  *request.mutable_interface() = interface;
  return Call("UpdateInterface", request, nullptr, request_timeout_);
}

Result<void> Agent::UpdateRoutes(const grpc::Routes& routes) {
  grpc::UpdateRoutesRequest request;
  *request.mutable_routes() = routes;
  return Call("UpdateRoutes", request, nullptr, request_timeout_);
}

Result<void> Agent::AddNeighbors(const grpc::ARPNeighbors& neighbors) {
  grpc::AddARPNeighborsRequest request;
  *request.mutable_neighbors() = neighbors;
  return Call("AddARPNeighbors", request, nullptr, request_timeout_);
}

Result<void> Agent::CreateSandbox(const grpc::CreateSandboxRequest& request) {
  return Call("CreateSandbox", request, nullptr, request_timeout_);
}

Result<void> Agent::DestroySandbox(Timeout timeout) {
  return Call("DestroySandbox", grpc::DestroySandboxRequest(), nullptr, timeout);
}

Result<void> Agent::CopyFile(const grpc::CopyFileRequest& request) {
  return Call("CopyFile", request, nullptr, request_timeout_);
}

Result<void> Agent::CreateContainer(const grpc::CreateContainerRequest& request, Timeout timeout) {
  return Call("CreateContainer", request, nullptr, timeout);
}

Result<void> Agent::StartContainer(const std::string& container_id) {
  grpc::StartContainerRequest request;
  request.set_container_id(container_id);
  return Call("StartContainer", request, nullptr, request_timeout_);
}

Result<void> Agent::RemoveContainer(const std::string& container_id, Timeout timeout) {
  grpc::RemoveContainerRequest request;
  request.set_container_id(container_id);
  return Call("RemoveContainer", request, nullptr, timeout);
}

Result<void> Agent::ExecProcess(const grpc::ExecProcessRequest& request) {
  return Call("ExecProcess", request, nullptr, request_timeout_);
}

Result<void> Agent::SignalProcess(const std::string& container_id, const std::string& exec_id,
                                  std::uint32_t signal, Timeout timeout) {
  grpc::SignalProcessRequest request;
  request.set_container_id(container_id);
  request.set_exec_id(exec_id);
  request.set_signal(signal);
  return Call("SignalProcess", request, nullptr, timeout);
}

Result<void> Agent::UpdateContainer(const grpc::UpdateContainerRequest& request) {
  return Call("UpdateContainer", request, nullptr, request_timeout_);
}

Result<void> Agent::PauseContainer(const std::string& container_id) {
  grpc::PauseContainerRequest request;
  request.set_container_id(container_id);
  return Call("PauseContainer", request, nullptr, request_timeout_);
}

Result<void> Agent::ResumeContainer(const std::string& container_id) {
  grpc::ResumeContainerRequest request;
  request.set_container_id(container_id);
  return Call("ResumeContainer", request, nullptr, request_timeout_);
}

Result<void> Agent::TtyWinResize(const grpc::TtyWinResizeRequest& request) {
  return Call("TtyWinResize", request, nullptr, request_timeout_);
}

Result<grpc::StatsContainerResponse> Agent::StatsContainer(const std::string& container_id) {
  grpc::StatsContainerRequest request;
  request.set_container_id(container_id);
  grpc::StatsContainerResponse response;
  (void)TRY(Call("StatsContainer", request, &response, request_timeout_));
  return response;
}

void Agent::CheckAsync(Timeout timeout, Done<void> done) {
  client_->CallAsync(kHealthService, "Check", grpc::CheckRequest().SerializeAsString(),
                     {.timeout = timeout, .metadata = {}},
                     Parsed<grpc::HealthCheckResponse>(
                         [done = std::move(done)](Result<grpc::HealthCheckResponse> response) {
                           done(response ? Serving(*response) : std::move(response).error());
                         }));
}

void Agent::WaitProcess(const std::string& container_id, const std::string& exec_id,
                        Done<std::int32_t> done) {
  grpc::WaitProcessRequest request;
  request.set_container_id(container_id);
  request.set_exec_id(exec_id);
  CallAsync("WaitProcess", request, kForever,
            Parsed<grpc::WaitProcessResponse>(
                [done = std::move(done)](Result<grpc::WaitProcessResponse> response) {
                  if (!response) return done(std::move(response).error());
                  done(response->status());
                }));
}

void Agent::Read(Stream stream, const std::string& container_id, const std::string& exec_id,
                 std::uint32_t length, Done<std::string> done) {
  grpc::ReadStreamRequest request;
  request.set_container_id(container_id);
  request.set_exec_id(exec_id);
  request.set_len(length);
  CallAsync(stream == Stream::kStdout ? "ReadStdout" : "ReadStderr", request, kForever,
            Parsed<grpc::ReadStreamResponse>(
                [done = std::move(done)](Result<grpc::ReadStreamResponse> response) {
                  if (!response) return done(std::move(response).error());
                  done(std::move(*response->mutable_data()));
                }));
}

void Agent::WriteStdin(const std::string& container_id, const std::string& exec_id,
                       std::string data, Done<std::uint32_t> done) {
  grpc::WriteStreamRequest request;
  request.set_container_id(container_id);
  request.set_exec_id(exec_id);
  request.set_data(std::move(data));
  CallAsync("WriteStdin", request, kForever,
            Parsed<grpc::WriteStreamResponse>(
                [done = std::move(done)](Result<grpc::WriteStreamResponse> response) {
                  if (!response) return done(std::move(response).error());
                  done(response->len());
                }));
}

void Agent::CloseStdinAsync(const std::string& container_id, const std::string& exec_id) {
  grpc::CloseStdinRequest request;
  request.set_container_id(container_id);
  request.set_exec_id(exec_id);
  CallAsync("CloseStdin", request, request_timeout_, [](const Result<std::string>&) {});
}

void Agent::SignalAsync(const std::string& container_id, const std::string& exec_id,
                        std::uint32_t signal) {
  grpc::SignalProcessRequest request;
  request.set_container_id(container_id);
  request.set_exec_id(exec_id);
  request.set_signal(signal);
  CallAsync("SignalProcess", request, request_timeout_, [](const Result<std::string>&) {});
}

void Agent::GetOomEvent(Done<std::string> done) {
  CallAsync("GetOOMEvent", grpc::GetOOMEventRequest(), kForever,
            Parsed<grpc::OOMEvent>([done = std::move(done)](Result<grpc::OOMEvent> response) {
              if (!response) return done(std::move(response).error());
              done(response->container_id());
            }));
}

}  // namespace kata_cc::shim
