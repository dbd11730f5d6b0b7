// SPDX-License-Identifier: Apache-2.0
// The whole service as a client sees it: real ttrpc over a socket pair, a real policy engine, and
// containers that only remember what reached them.
#include "agent/rpc/agent_service.h"

#include <google/protobuf/empty.pb.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/attest/sha2.h"
#include "base/synced.h"
#include "proto/agent.pb.h"
#include "proto/health.pb.h"
#include "proto/ttrpc/client.h"
#include "proto/ttrpc/test_peer.h"

namespace kata_cc::agent {
namespace {

using google::protobuf::Message;
using google::protobuf::MessageFactory;
using google::protobuf::MethodDescriptor;

class RecordingContainers : public ContainerService {
 public:
  Result<void> CreateSandbox(const grpc::CreateSandboxRequest&) override {
    return Note("CreateSandbox");
  }
  Result<void> DestroySandbox() override { return Note("DestroySandbox"); }
  Result<void> CopyFile(const grpc::CopyFileRequest&) override { return Note("CopyFile"); }
  Result<void> CreateContainer(const grpc::CreateContainerRequest&) override {
    return Note("CreateContainer");
  }
  Result<void> StartContainer(const grpc::StartContainerRequest&) override {
    return Note("StartContainer");
  }
  Result<void> RemoveContainer(const grpc::RemoveContainerRequest&) override {
    return Note("RemoveContainer");
  }
  Result<void> ExecProcess(const grpc::ExecProcessRequest&) override { return Note("ExecProcess"); }
  Result<void> SignalProcess(const grpc::SignalProcessRequest&) override {
    return Note("SignalProcess");
  }
  Result<void> UpdateContainer(const grpc::UpdateContainerRequest&) override {
    return Note("UpdateContainer");
  }
  Result<void> PauseContainer(const std::string&) override { return Note("PauseContainer"); }
  Result<void> ResumeContainer(const std::string&) override { return Note("ResumeContainer"); }
  Result<grpc::StatsContainerResponse> StatsContainer(const std::string&) override {
    TRY(Note("StatsContainer"));
    return grpc::StatsContainerResponse();
  }
  Result<grpc::VolumeStatsResponse> VolumeStats(const std::string&) override {
    TRY(Note("VolumeStats"));
    return grpc::VolumeStatsResponse();
  }
  Result<void> CloseStdin(const grpc::CloseStdinRequest&) override { return Note("CloseStdin"); }
  Result<void> TtyWinResize(const grpc::TtyWinResizeRequest&) override {
    return Note("TtyWinResize");
  }
  void WaitProcess(const grpc::WaitProcessRequest&,
                   Reply<grpc::WaitProcessResponse> reply) override {
    Answer("WaitProcess", reply);
  }
  void WriteStdin(const grpc::WriteStreamRequest&,
                  Reply<grpc::WriteStreamResponse> reply) override {
    Answer("WriteStdin", reply);
  }
  void ReadStdout(const grpc::ReadStreamRequest&, Reply<grpc::ReadStreamResponse> reply) override {
    grpc::ReadStreamResponse response;
    response.set_data("output");
    Answer("ReadStdout", reply, response);
  }
  void ReadStderr(const grpc::ReadStreamRequest&, Reply<grpc::ReadStreamResponse> reply) override {
    Answer("ReadStderr", reply);
  }
  void GetOOMEvent(Reply<grpc::OOMEvent> reply) override {
    static_cast<void>(Note("GetOOMEvent"));
    parked_.Lock()->push_back(std::move(reply));
  }

  void DiscardOutput(const grpc::ReadStreamRequest&, bool is_stderr) override {
    static_cast<void>(Note(is_stderr ? "discard stderr" : "discard stdout"));
  }

  std::vector<std::string> TakeCalls() { return std::exchange(*calls_.Lock(), {}); }
  std::vector<Reply<grpc::OOMEvent>> TakeParked() { return std::exchange(*parked_.Lock(), {}); }
  void FailNext() { *fail_next_.Lock() = true; }

 private:
  Result<void> Note(const char* name) {
    calls_.Lock()->push_back(name);
    if (std::exchange(*fail_next_.Lock(), false)) return Error(Code::kInternal, "disk is on fire");
    return {};
  }
  template <typename T>
  void Answer(const char* name, Reply<T>& reply, T response = {}) {
    static_cast<void>(Note(name));
    reply.done(Result<T>(std::move(response)));
  }

  Synced<std::vector<std::string>> calls_;
  Synced<std::vector<Reply<grpc::OOMEvent>>> parked_;
  Synced<bool> fail_next_;
};

// A request of the method that passes the checks before the policy.
std::unique_ptr<Message> ValidRequest(const MethodDescriptor& method) {
  std::unique_ptr<Message> request(
      MessageFactory::generated_factory()->GetPrototype(method.input_type())->New());
  const auto* id = method.input_type()->FindFieldByName("container_id");
  if (id != nullptr) request->GetReflection()->SetString(request.get(), id, "web");
  return request;
}

// A policy in which each request's rule is verdict.
std::string PolicyOfAll(const std::string& verdict) {
  std::set<std::string> names;
  const auto& service = AgentService::descriptor();
  for (int i = 0; i < service.method_count(); ++i)
    names.insert(service.method(i)->input_type()->name());
  std::string policy = "package agent_policy\n";
  for (const std::string& name : names)
    policy += name + " := " + verdict + "\n";
  return policy;
}

class AgentServiceTest : public ::testing::Test {
 protected:
  void Serve(const std::string& policy, std::optional<HostData> host_data = std::nullopt) {
    auto gate = PolicyGate::Create(policy);
    ASSERT_TRUE(gate) << gate.error().message();
    gate_ = *std::move(gate);
    host_data_ = FixedHostData(host_data);
    service_ = std::make_unique<AgentService>(*gate_, containers_, *host_data_, /*init=*/false);
    auto [ours, theirs] = ttrpc::SocketPair();
    thread_.Run([this, stream = &ours] {
      server_ = std::make_unique<ttrpc::Server>(thread_.reactor(), *pool_);
      const auto registrar = [this](std::string name, std::string method, ttrpc::Handler handler) {
        server_->Register(std::move(name), std::move(method), std::move(handler));
      };
      service_->Register(registrar);
      RegisterHealth(registrar);
      EXPECT_TRUE(server_->Serve(std::move(*stream)));
    });
    auto client = ttrpc::Client::Create(thread_.reactor(), std::move(theirs));
    ASSERT_TRUE(client);
    client_ = *std::move(client);
  }

  void TearDown() override {
    client_.reset();
    thread_.Run([this] { server_.reset(); });
    pool_.reset();
    thread_.Stop();
  }

  Result<void> Call(const std::string& method, const Message& request,
                    google::protobuf::MessageLite* response = nullptr) {
    return client_->Call("grpc.AgentService", method, request, response);
  }

  Code CodeOf(const std::string& method, const Message& request) {
    const auto result = Call(method, request);
    EXPECT_FALSE(result) << method;
    return result ? Code::kUnknown : result.error().code();
  }

  RecordingContainers containers_;
  std::unique_ptr<PolicyGate> gate_;
  std::unique_ptr<HostDataSource> host_data_;
  std::unique_ptr<AgentService> service_;
  std::unique_ptr<WorkerPool> pool_ = std::make_unique<WorkerPool>(4);
  ttrpc::ReactorThread thread_;
  std::unique_ptr<ttrpc::Server> server_;
  std::shared_ptr<ttrpc::Client> client_;
};

TEST_F(AgentServiceTest, EveryMethodOfTheDescriptorIsDeniedWithoutARule) {
  Serve(std::string("package agent_policy\n"));
  const auto& service = AgentService::descriptor();
  ASSERT_EQ(service.method_count(), 42);
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const auto result = Call(method.name(), *ValidRequest(method));
    ASSERT_FALSE(result) << method.name();
    EXPECT_EQ(result.error().code(), Code::kPermissionDenied) << method.name();
    EXPECT_NE(result.error().message().find(method.input_type()->name() + " is blocked by policy"),
              std::string::npos)
        << result.error().message();
  }
  EXPECT_EQ(containers_.TakeCalls(),
            (std::vector<std::string>{"discard stdout", "discard stderr"}));
}

TEST_F(AgentServiceTest, EveryMethodHasAHandlerOrIsUnimplementedAfterThePolicy) {
  Serve(PolicyOfAll("true"));
  const auto& service = AgentService::descriptor();
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    const std::string& name = method.name();
    EXPECT_NE(service_->Implements(name), AgentService::IsKnownUnimplemented(name)) << name;
    if (!AgentService::IsKnownUnimplemented(name)) continue;
    EXPECT_EQ(CodeOf(name, *ValidRequest(method)), Code::kUnimplemented) << name;
  }
  EXPECT_TRUE(containers_.TakeCalls().empty());
}

TEST_F(AgentServiceTest, NothingIsRegisteredBeyondTheDescriptor) {
  Serve(PolicyOfAll("true"));
  std::set<std::string> registered;
  service_->Register(
      [&](const std::string& name, const std::string& method, const ttrpc::Handler&) {
        EXPECT_EQ(name, "grpc.AgentService");
        registered.insert(method);
      });
  std::set<std::string> expected;
  for (int i = 0; i < AgentService::descriptor().method_count(); ++i)
    expected.insert(AgentService::descriptor().method(i)->name());
  EXPECT_EQ(registered, expected);
}

TEST_F(AgentServiceTest, AnAllowedRequestReachesItsHandler) {
  Serve(PolicyOfAll("true"));
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  grpc::ReadStreamResponse output;
  ASSERT_TRUE(Call("ReadStdout", read, &output));
  EXPECT_EQ(output.data(), "output");
  grpc::StartContainerRequest start;
  start.set_container_id("web");
  ASSERT_TRUE(Call("StartContainer", start));
  EXPECT_EQ(containers_.TakeCalls(), (std::vector<std::string>{"ReadStdout", "StartContainer"}));
}

TEST_F(AgentServiceTest, HealthAsksNoPolicy) {
  Serve(std::string("package agent_policy\n"));
  grpc::HealthCheckResponse health;
  ASSERT_TRUE(client_->Call("grpc.Health", "Check", grpc::CheckRequest(), &health));
  EXPECT_EQ(health.status(), grpc::HealthCheckResponse::SERVING);
  grpc::VersionCheckResponse version;
  ASSERT_TRUE(client_->Call("grpc.Health", "Version", grpc::CheckRequest(), &version));
  EXPECT_EQ(version.grpc_version(), "0.0.1");
}

TEST_F(AgentServiceTest, AFailedCreationChangesNoStateAndMayBeTriedAgain) {
  Serve(PolicyOfAll("true"));
  grpc::CreateContainerRequest create;
  create.set_container_id("web");
  containers_.FailNext();
  EXPECT_EQ(CodeOf("CreateContainer", create), Code::kInternal);
  EXPECT_TRUE(Call("CreateContainer", create));
  EXPECT_EQ(CodeOf("CreateContainer", create), Code::kAlreadyExists);
}

TEST_F(AgentServiceTest, ThePolicyIsSetOnce) {
  Serve(std::string(kDefaultPolicy));
  grpc::SetPolicyRequest set;
  set.set_policy("package agent_policy\nStartContainerRequest := true\n");
  ASSERT_TRUE(Call("SetPolicy", set));
  EXPECT_EQ(CodeOf("SetPolicy", set), Code::kPermissionDenied);
  grpc::StartContainerRequest start;
  start.set_container_id("web");
  EXPECT_TRUE(Call("StartContainer", start));
}

TEST_F(AgentServiceTest, APolicyThatIsNotTheLaunchsIsRefused) {
  grpc::SetPolicyRequest set;
  set.set_policy("package agent_policy\nStartContainerRequest := true\n");
  HostData host_data = {};
  const std::string digest = Sha256(set.policy());
  std::copy(digest.begin(), digest.end(), host_data.begin());
  Serve(std::string(kDefaultPolicy), host_data);
  grpc::SetPolicyRequest other;
  other.set_policy(set.policy() + "ExecProcessRequest := true\n");
  EXPECT_EQ(CodeOf("SetPolicy", other), Code::kInvalidArgument);
  EXPECT_TRUE(Call("SetPolicy", set));
}

TEST_F(AgentServiceTest, ABrokenOrOversizePolicyLeavesTheOldOneInForce) {
  Serve(std::string(kDefaultPolicy));
  grpc::SetPolicyRequest set;
  set.set_policy("package agent_policy\n\n}");
  const auto bad = Call("SetPolicy", set);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::kInvalidArgument);
  EXPECT_NE(bad.error().message().find("policy.rego:3:"), std::string::npos);
  set.set_policy(std::string(kMaxPolicyBytes + 1, '#'));
  EXPECT_EQ(CodeOf("SetPolicy", set), Code::kInvalidArgument);
  set.set_policy("package agent_policy\n");
  EXPECT_TRUE(Call("SetPolicy", set));
}

TEST_F(AgentServiceTest, DeniedOutputIsRefusedNotBlank) {
  Serve(std::string("package agent_policy\nReadStreamRequest := false\n"));
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  EXPECT_EQ(CodeOf("ReadStdout", read), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf("ReadStderr", read), Code::kPermissionDenied);
  // And does not fill its pipe for ever.
  EXPECT_EQ(containers_.TakeCalls(),
            (std::vector<std::string>{"discard stdout", "discard stderr"}));
}

TEST_F(AgentServiceTest, DeniedOutputIsBlankIfThePolicyWantsItSo) {
  Serve(
      std::string("package agent_policy\n"
                  "ReadStreamRequest := false\nReadStreamDeniedAsEmpty := true\n"));
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  grpc::ReadStreamResponse output;
  ASSERT_TRUE(Call("ReadStdout", read, &output));
  EXPECT_EQ(output.data(), "");
  EXPECT_EQ(containers_.TakeCalls(), std::vector<std::string>{"discard stdout"});
}

TEST_F(AgentServiceTest, AWaitingCallIsAnsweredLaterAndMayBeAbandoned) {
  Serve(PolicyOfAll("true"));
  const auto late = client_->Call("grpc.AgentService", "GetOOMEvent", grpc::GetOOMEventRequest(),
                                  nullptr, {std::chrono::milliseconds(50), {}});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kDeadlineExceeded);
  auto parked = containers_.TakeParked();
  ASSERT_EQ(parked.size(), 1U);
  for (int i = 0; i < 200 && parked[0].wanted(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(parked[0].wanted());
  parked[0].done(grpc::OOMEvent());  // Nobody listens; nothing happens.
}

TEST_F(AgentServiceTest, TheNetworkIsNotChangedOutsideAGuest) {
  Serve(PolicyOfAll("true"));
  EXPECT_EQ(CodeOf("UpdateInterface", grpc::UpdateInterfaceRequest()), Code::kFailedPrecondition);
  EXPECT_EQ(CodeOf("UpdateRoutes", grpc::UpdateRoutesRequest()), Code::kFailedPrecondition);
  EXPECT_EQ(CodeOf("AddARPNeighbors", grpc::AddARPNeighborsRequest()), Code::kFailedPrecondition);
  grpc::Interfaces interfaces;
  ASSERT_TRUE(Call("ListInterfaces", grpc::ListInterfacesRequest(), &interfaces));
  EXPECT_GE(interfaces.interfaces_size(), 1);
  grpc::Routes routes;
  EXPECT_TRUE(Call("ListRoutes", grpc::ListRoutesRequest(), &routes));
}

TEST_F(AgentServiceTest, TheClockIsNotSetOutsideAGuest) {
  Serve(PolicyOfAll("true"));
  EXPECT_EQ(CodeOf("SetGuestDateTime", grpc::SetGuestDateTimeRequest()), Code::kFailedPrecondition);
  EXPECT_EQ(CodeOf("ReseedRandomDev", grpc::ReseedRandomDevRequest()), Code::kFailedPrecondition);
  grpc::GuestDetailsRequest request;
  request.set_mem_block_size(true);
  grpc::GuestDetailsResponse details;
  ASSERT_TRUE(Call("GetGuestDetails", request, &details));
  EXPECT_FALSE(details.agent_details().init_daemon());
}

}  // namespace
}  // namespace kata_cc::agent
