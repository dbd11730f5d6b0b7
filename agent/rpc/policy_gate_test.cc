// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/policy_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <utility>

#include "proto/agent.pb.h"

namespace kata_cc::agent {
namespace {

// Containers are entries 0 and 1; exec goes by the state, as genpolicy's rules do.
constexpr const char* kStateful = R"(package agent_policy
import rego.v1

CreateContainerRequest := {"allowed": true, "ops": [
  {"op": "add", "path": concat("/", ["/pstate", input.container_id]), "value": entry},
]} if {
  some entry, name in ["pause", "web"]
  name == input.OCI.Hostname
}

ExecProcessRequest if data.pstate[input.container_id] == 1

RemoveContainerRequest := {"allowed": true, "ops": [
  {"op": "remove", "path": concat("/", ["/pstate", input.container_id])},
]}

CreateSandboxRequest := {"allowed": true, "ops": [
  {"op": "add", "path": "/pstate/namespace", "value": input.hostname},
]}

WaitProcessRequest := {"allowed": true, "ops": [
  {"op": "add", "path": "/pstate/waited", "value": true},
]}

StartContainerRequest := {"allowed": true, "ops": [{"op": "remove", "path": "/pstate/absent"}]}
)";

std::unique_ptr<PolicyGate> Gate(std::string policy) {
  auto gate = PolicyGate::Create(std::move(policy));
  EXPECT_TRUE(gate) << gate.error().message();
  return gate ? *std::move(gate) : nullptr;
}

grpc::CreateContainerRequest Create(const std::string& id, const std::string& name) {
  grpc::CreateContainerRequest request;
  request.set_container_id(id);
  request.mutable_oci()->set_hostname(name);
  return request;
}

grpc::RemoveContainerRequest Remove(const std::string& id) {
  grpc::RemoveContainerRequest request;
  request.set_container_id(id);
  return request;
}

grpc::ExecProcessRequest Exec(const std::string& id) {
  grpc::ExecProcessRequest request;
  request.set_container_id(id);
  return request;
}

// Admits the request and lets it succeed.
Result<void> Pass(PolicyGate& gate, const google::protobuf::Message& request) {
  auto admission = TRY(gate.Admit(request, {}));
  return admission.Commit();
}

Code CodeOf(const Result<void>& result) {
  EXPECT_FALSE(result);
  return result ? Code::kUnknown : result.error().code();
}

TEST(PolicyGate, TheDefaultAllowsOnlySetPolicyAndOnlyOnce) {
  const auto gate = Gate(std::string(kDefaultPolicy));
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("web"))), Code::kPermissionDenied);
  auto first = gate->Admit(grpc::SetPolicyRequest(), {});
  ASSERT_TRUE(first);
  auto racing = gate->Admit(grpc::SetPolicyRequest(), {});  // Admitted before the first is done.
  ASSERT_TRUE(racing);
  ASSERT_TRUE(gate->Replace(*first, "package agent_policy\nExecProcessRequest := true\n"));
  EXPECT_EQ(CodeOf(gate->Replace(*racing, "package agent_policy\nStartContainerRequest := true")),
            Code::kPermissionDenied);
  EXPECT_TRUE(Pass(*gate, Exec("web")));
  EXPECT_EQ(CodeOf(Pass(*gate, grpc::SetPolicyRequest())), Code::kPermissionDenied);
}

TEST(PolicyGate, RefusesWhatIsNoRegoAndKeepsThePolicy) {
  const auto gate = Gate(std::string(kDefaultPolicy));
  auto admission = gate->Admit(grpc::SetPolicyRequest(), {});
  ASSERT_TRUE(admission);
  const auto bad = gate->Replace(*admission, "package agent_policy\n\nthis is no rule {");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Code::kInvalidArgument);
  EXPECT_NE(bad.error().message().find("policy.rego:3:"), std::string::npos)
      << bad.error().message();
  EXPECT_EQ(CodeOf(gate->Replace(*admission, std::string(kMaxPolicyBytes + 1, '#'))),
            Code::kInvalidArgument);
  EXPECT_TRUE(Pass(*gate, grpc::SetPolicyRequest()));
}

TEST(PolicyGate, RefusesPoliciesThatAllowFailingRequests) {
  for (const char* rule :
       {"AllowRequestsFailingPolicy := true", "default AllowRequestsFailingPolicy := true",
        "AllowRequestsFailingPolicy := 1"}) {
    const auto gate = PolicyGate::Create(std::string("package agent_policy\n") + rule);
    ASSERT_FALSE(gate) << rule;
    EXPECT_EQ(gate.error().code(), Code::kInvalidArgument);
  }
  EXPECT_TRUE(PolicyGate::Create("package agent_policy\nAllowRequestsFailingPolicy := false\n"));
}

TEST(PolicyGate, UndefinedRulesOtherTypesAndFailuresDeny) {
  const auto gate = Gate(
      "package agent_policy\n"
      "import rego.v1\n"
      "StartContainerRequest := \"true\"\n"
      "RemoveContainerRequest := false if print(\"because\", input.container_id)\n"
      "PauseContainerRequest := input.container_id\n");
  grpc::StartContainerRequest start;
  start.set_container_id("web");
  EXPECT_EQ(CodeOf(Pass(*gate, start)), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("web"))), Code::kPermissionDenied);
  const auto denied = Pass(*gate, Remove("web"));
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().message(),
            "RemoveContainerRequest is blocked by policy: its rule says no.");
}

TEST(PolicyGate, ExplainsDenialsOnlyWhenThePolicySaysSo) {
  const std::string policy =
      "package agent_policy\n"
      "import rego.v1\n"
      "RemoveContainerRequest if {\n"
      "  print(\"because\", input.container_id)\n"
      "  input.container_id == \"db\"\n"
      "}\n";
  const auto silent = Gate(policy);
  EXPECT_EQ(Pass(*silent, Remove("web")).error().message(),
            "RemoveContainerRequest is blocked by policy: no rule allows it.");
  const auto gate = Gate(policy + "explain_denials := true\n");
  EXPECT_EQ(
      Pass(*gate, Remove("web")).error().message(),
      "RemoveContainerRequest is blocked by policy: no rule allows it. because web\n"
      "RemoveContainerRequest at policy.rego:5: input.container_id == \"db\" failed: \"web\" != "
      "\"db\"");
}

TEST(PolicyGate, IdsAndFieldsAreCheckedBeforeThePolicy) {
  const auto gate = Gate("package agent_policy\nExecProcessRequest := true\n");
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("../web"))), Code::kInvalidArgument);
  grpc::ExecProcessRequest exec = Exec("web");
  exec.GetReflection()->MutableUnknownFields(&exec)->AddVarint(77, 1);
  EXPECT_EQ(CodeOf(Pass(*gate, exec)), Code::kInvalidArgument);
}

TEST(PolicyGate, StateChangesTakeEffectOnSuccessOnly) {
  const auto gate = Gate(kStateful);
  {
    const auto failed = gate->Admit(Create("web1", "web"), {});
    ASSERT_TRUE(failed);
    EXPECT_EQ(CodeOf(Pass(*gate, Exec("web1"))), Code::kPermissionDenied);
  }
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("web1"))), Code::kPermissionDenied);
  ASSERT_TRUE(Pass(*gate, Create("web1", "web")));
  EXPECT_TRUE(Pass(*gate, Exec("web1")));
  {
    const auto failed = gate->Admit(Remove("web1"), {});
    ASSERT_TRUE(failed);
  }
  EXPECT_TRUE(Pass(*gate, Exec("web1")));
  ASSERT_TRUE(Pass(*gate, Remove("web1")));
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("web1"))), Code::kPermissionDenied);
}

TEST(PolicyGate, OneContainerOfAnEntryAtATime) {
  const auto gate = Gate(kStateful);
  ASSERT_TRUE(Pass(*gate, Create("pause1", "pause")));
  ASSERT_TRUE(Pass(*gate, Create("web1", "web")));
  EXPECT_EQ(CodeOf(Pass(*gate, Create("web2", "web"))), Code::kPermissionDenied);
  ASSERT_TRUE(Pass(*gate, Remove("web1")));
  EXPECT_TRUE(Pass(*gate, Create("web2", "web")));  // A restart.
}

TEST(PolicyGate, ThePolicyMayAllowMoreInstances) {
  const auto gate = Gate(
      "package agent_policy\n"
      "CreateContainerRequest := {\"allowed\": true, \"max_instances\": 2, \"ops\": [\n"
      "  {\"op\": \"add\", \"path\": concat(\"/\", [\"/pstate\", input.container_id]), "
      "\"value\": 0}]}\n");
  EXPECT_TRUE(Pass(*gate, Create("web1", "")));
  EXPECT_TRUE(Pass(*gate, Create("web2", "")));
  EXPECT_EQ(CodeOf(Pass(*gate, Create("web3", ""))), Code::kPermissionDenied);
}

TEST(PolicyGate, AnIdIsUsedOnce) {
  const auto gate = Gate(
      "package agent_policy\nCreateContainerRequest := true\nRemoveContainerRequest := true\n");
  auto pending = gate->Admit(Create("web", ""), {});
  ASSERT_TRUE(pending);
  EXPECT_EQ(CodeOf(Pass(*gate, Create("web", ""))), Code::kAlreadyExists);
  ASSERT_TRUE(pending->Commit());
  EXPECT_EQ(CodeOf(Pass(*gate, Create("web", ""))), Code::kAlreadyExists);
  ASSERT_TRUE(Pass(*gate, Remove("web")));
  EXPECT_EQ(CodeOf(Pass(*gate, Create("web", ""))), Code::kAlreadyExists);
}

TEST(PolicyGate, AnIdCannotTakeAKeyOfTheState) {
  const auto gate = Gate(kStateful);
  grpc::CreateSandboxRequest sandbox;
  sandbox.set_hostname("default");
  ASSERT_TRUE(Pass(*gate, sandbox));
  EXPECT_EQ(CodeOf(Pass(*gate, Create("namespace", "web"))), Code::kPermissionDenied);
}

TEST(PolicyGate, OperationsThatCannotApplyDeny) {
  const auto gate = Gate(kStateful);
  grpc::StartContainerRequest start;
  start.set_container_id("web");
  EXPECT_EQ(CodeOf(Pass(*gate, start)), Code::kPermissionDenied);
  EXPECT_EQ(CodeOf(Pass(*gate, Remove("absent"))), Code::kPermissionDenied);
}

TEST(PolicyGate, RequestsThatMayWaitChangeNoState) {
  const auto gate = Gate(kStateful);
  grpc::WaitProcessRequest wait;
  wait.set_container_id("web");
  EXPECT_FALSE(gate->Admit(wait, {.may_change_state = false, .deadline = {}}));
}

TEST(PolicyGate, StateChangesTakeTurns) {
  const auto gate = Gate(kStateful);
  auto first = gate->Admit(Create("web1", "web"), {});
  ASSERT_TRUE(first);
  // Would match the same entry: it is decided only when the first one is settled.
  auto second = std::async(std::launch::async, [&] { return Pass(*gate, Create("web2", "web")); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  ASSERT_TRUE(first->Commit());
  EXPECT_EQ(CodeOf(second.get()), Code::kPermissionDenied);
}

TEST(PolicyGate, ATurnIsWaitedForUntilTheDeadline) {
  const auto gate = Gate(kStateful);
  const auto first = gate->Admit(Create("web1", "web"), {});
  ASSERT_TRUE(first);
  const auto second =
      gate->Admit(Create("pause1", "pause"),
                  {.may_change_state = true,
                   .deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20)});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kDeadlineExceeded);
}

TEST(PolicyGate, TheSamePolicyAgainKeepsTheState) {
  const std::string policy = std::string(kStateful) + "SetPolicyRequest := true\n";
  const auto gate = Gate(policy);
  ASSERT_TRUE(Pass(*gate, Create("web1", "web")));
  auto admission = gate->Admit(grpc::SetPolicyRequest(), {});
  ASSERT_TRUE(admission);
  ASSERT_TRUE(gate->Replace(*admission, policy));
  EXPECT_TRUE(Pass(*gate, Exec("web1")));
  EXPECT_EQ(CodeOf(Pass(*gate, Create("web2", "web"))), Code::kPermissionDenied);
  ASSERT_TRUE(gate->Replace(*admission, policy + "# another\n"));
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("web1"))), Code::kPermissionDenied);
}

TEST(PolicyGate, DeniedReadsAreBlankOnlyIfThePolicySaysSo) {
  grpc::ReadStreamRequest read;
  read.set_container_id("web");
  EXPECT_FALSE(Gate("package agent_policy\nReadStreamRequest := false\n")->Admit(read, {}));
  const auto gate =
      Gate("package agent_policy\nReadStreamRequest := false\nReadStreamDeniedAsEmpty := true\n");
  const auto admission = gate->Admit(read, {});
  ASSERT_TRUE(admission);
  EXPECT_TRUE(admission->blank());
  EXPECT_EQ(CodeOf(Pass(*gate, Exec("web"))), Code::kPermissionDenied);
}

TEST(PolicyGateLocal, OnlyTrueAllowsAndTheReplacementIsSeen) {
  const auto gate = Gate(R"(package agent_policy
import rego.v1
default SetPolicyRequest := true
AttestationApiRequest if input.path == "/info"
Text := "true"
Many := {"allowed": true}
)");
  ASSERT_NE(gate, nullptr);
  EXPECT_TRUE(gate->Allows("AttestationApiRequest", {{"path", "/info"}}));
  EXPECT_FALSE(gate->Allows("AttestationApiRequest", {{"path", "/aa/token"}}));
  EXPECT_FALSE(gate->Allows("AttestationApiRequest", nlohmann::json::object()));
  EXPECT_FALSE(gate->Allows("Text", nlohmann::json::object()));
  EXPECT_FALSE(gate->Allows("Many", nlohmann::json::object()));
  EXPECT_FALSE(gate->Allows("Undefined", nlohmann::json::object()));
  EXPECT_FALSE(gate->Allows("not a rule", nlohmann::json::object()));
  int replaced = 0;
  gate->OnReplaced([&] { ++replaced; });
  const auto admission = gate->Admit(grpc::SetPolicyRequest(), {});
  ASSERT_TRUE(admission);
  ASSERT_TRUE(gate->Replace(*admission, std::string(kDefaultPolicy)));
  EXPECT_EQ(replaced, 1);
  EXPECT_FALSE(gate->Allows("AttestationApiRequest", {{"path", "/info"}}));
}

}  // namespace
}  // namespace kata_cc::agent
