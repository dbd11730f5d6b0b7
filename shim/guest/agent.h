// SPDX-License-Identifier: Apache-2.0
// Agent: the guest's agent (Kata's AgentService) as the shim calls it, over one ttrpc connection.
// Errors keep the agent's code and text, for the text is what a user reads when a policy refuses.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "proto/agent.pb.h"
#include "proto/ttrpc/client.h"

namespace kata_cc::shim {

class Agent {
 public:
  using Timeout = std::chrono::nanoseconds;

  Agent(std::shared_ptr<ttrpc::Client> client, Timeout request_timeout)
      : client_(std::move(client)), request_timeout_(request_timeout) {}

  // Any thread but the reactor's; each blocks until the answer or its timeout.
  Result<void> Check(Timeout timeout);
  Result<void> SetPolicy(const std::string& policy);
  Result<void> UpdateInterface(const types::Interface& interface);
  Result<void> UpdateRoutes(const grpc::Routes& routes);
  Result<void> AddNeighbors(const grpc::ARPNeighbors& neighbors);
  Result<void> CreateSandbox(const grpc::CreateSandboxRequest& request);
  Result<void> DestroySandbox(Timeout timeout);
  Result<void> CopyFile(const grpc::CopyFileRequest& request);
  Result<void> CreateContainer(const grpc::CreateContainerRequest& request, Timeout timeout);
  Result<void> StartContainer(const std::string& container_id);
  Result<void> RemoveContainer(const std::string& container_id, Timeout timeout);
  Result<void> ExecProcess(const grpc::ExecProcessRequest& request);
  Result<void> SignalProcess(const std::string& container_id, const std::string& exec_id,
                             std::uint32_t signal, Timeout timeout);
  Result<void> UpdateContainer(const grpc::UpdateContainerRequest& request);
  Result<void> PauseContainer(const std::string& container_id);
  Result<void> ResumeContainer(const std::string& container_id);
  Result<void> TtyWinResize(const grpc::TtyWinResizeRequest& request);
  Result<grpc::StatsContainerResponse> StatsContainer(const std::string& container_id);

  // Any thread; return at once. done runs on the reactor thread; no timeout but the connection's
  // end, except for CheckAsync, SignalAsync and CloseStdinAsync.
  template <typename T>
  using Done = std::function<void(Result<T>)>;
  void CheckAsync(Timeout timeout, Done<void> done);
  void WaitProcess(const std::string& container_id, const std::string& exec_id,
                   Done<std::int32_t> done);
  enum class Stream { kStdout, kStderr };
  void Read(Stream stream, const std::string& container_id, const std::string& exec_id,
            std::uint32_t length, Done<std::string> done);
  void WriteStdin(const std::string& container_id, const std::string& exec_id, std::string data,
                  Done<std::uint32_t> done);
  void CloseStdinAsync(const std::string& container_id, const std::string& exec_id);
  void SignalAsync(const std::string& container_id, const std::string& exec_id,
                   std::uint32_t signal);
  void GetOomEvent(Done<std::string> done);

  void OnClosed(std::function<void(Error)> callback) { client_->OnClosed(std::move(callback)); }
  void Close() { client_->Close(); }

 private:
  Result<void> Call(const char* method, const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response, Timeout timeout);
  void CallAsync(const char* method, const google::protobuf::MessageLite& request, Timeout timeout,
                 ttrpc::Client::Done done);

  std::shared_ptr<ttrpc::Client> client_;
  Timeout request_timeout_;
};

}  // namespace kata_cc::shim
