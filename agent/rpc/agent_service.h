// SPDX-License-Identifier: Apache-2.0
// AgentService: Kata's grpc.AgentService and grpc.Health on a ttrpc server. Each method of
// AgentService is registered from the service's descriptor, behind the policy gate; there is no
// other way to register one.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "agent/attest/host_data.h"
#include "agent/container/container_service.h"
#include "agent/rpc/pending_call.h"
#include "agent/rpc/policy_gate.h"
#include "base/result.h"
#include "proto/ttrpc/server.h"

namespace kata_cc::agent {

class AgentService {
 public:
  // All of them outlive the service. init: this process is PID 1, and clock and random pool are
  // its own to set.
  AgentService(PolicyGate& gate, ContainerService& containers, HostDataSource& host_data,
               bool init);
  // Before Register: what makes the kernel find its network devices.
  void OnFirstInterface(std::function<Result<void>()> load) { load_network_ = std::move(load); }

  // As ttrpc::Server::Register. The service outlives what it registers with.
  using Registrar = std::function<void(std::string service, std::string method, ttrpc::Handler)>;
  void Register(const Registrar& registrar);

  static const google::protobuf::ServiceDescriptor& descriptor();
  // Has code behind it; the others answer Unimplemented, once the policy allowed them.
  bool Implements(std::string_view method) const;
  static bool IsKnownUnimplemented(std::string_view method);

 private:
  using Call = std::shared_ptr<PendingCall>;
  struct Method {
    // Runs to its end on the pool's thread, so that its success is known soon.
    bool waits = false;
    bool quiet = false;  // Too many of them for the log.
    std::function<void(const google::protobuf::Message& request, Call call)> run;
  };

  template <typename Request, typename Function>
  void Add(const char* name, Function function, bool quiet = false);
  template <typename Request, typename Response>
  void AddWaiting(const char* name,
                  void (ContainerService::*function)(const Request&, Reply<Response>));
  void AddContainerMethods();
  void AddStreamMethods();
  void AddMachineMethods();
  void AddNetworkMethods();

  void Handle(const google::protobuf::MethodDescriptor& descriptor, ttrpc::Call call,
              ttrpc::Responder responder);
  void DiscardDenied(const google::protobuf::Message& request,
                     const google::protobuf::MethodDescriptor& descriptor);
  void SetPolicy(const google::protobuf::Message& request, const Call& call);

  PolicyGate& gate_;
  ContainerService& containers_;
  HostDataSource& host_data_;
  const bool init_;
  std::function<Result<void>()> load_network_ = [] { return Result<void>(); };
  std::map<std::string, Method, std::less<>> methods_;
};

// grpc.Health, which asks no policy and does nothing.
void RegisterHealth(const AgentService::Registrar& registrar);

}  // namespace kata_cc::agent
