// SPDX-License-Identifier: Apache-2.0
// A host that attacks the guest: requests that no honest shim sends, against the real agent binary
// on a unix socket. After each of them the agent must still serve the next client.
#include <google/protobuf/message.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/process.h"
#include "proto/agent.pb.h"
#include "proto/health.pb.h"
#include "proto/ttrpc/client.h"
#include "proto/ttrpc/test_peer.h"

namespace kata_cc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using namespace std::string_literals;

constexpr std::size_t kRequestLimit = 2U << 20;  // Of a policy.

const google::protobuf::ServiceDescriptor& Service() {
  return *grpc::SetPolicyRequest::descriptor()->file()->FindServiceByName("AgentService");
}

std::unique_ptr<Message> NewRequest(const google::protobuf::MethodDescriptor& method) {
  return std::unique_ptr<Message>(google::protobuf::MessageFactory::generated_factory()
                                      ->GetPrototype(method.input_type())
                                      ->New());
}

class HostileHost : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(dir_.data()), nullptr); }

  void TearDown() override {
    client_.reset();
    agent_.reset();
    std::filesystem::remove_all(dir_);
  }

  void Start(const std::string& policy) {
    std::vector<std::string> argv = {KATA_CC_AGENT,  "--listen",      "unix://" + Socket(),
                                     "--run-dir",    dir_ + "/run",   "--crun-root",
                                     dir_ + "/crun", "--cgroup-root", dir_ + "/cgroup",
                                     "--log",        "error"};
    std::filesystem::create_directories(dir_ + "/cgroup");
    if (!policy.empty()) {
      ASSERT_TRUE(WriteFile(dir_ + "/policy.rego", AsBytes(policy)));
      argv.insert(argv.end(), {"--policy", dir_ + "/policy.rego"});
    }
    auto agent = ChildProcess::Spawn(argv);
    ASSERT_TRUE(agent) << agent.error().message();
    agent_.emplace(*std::move(agent));
    for (int i = 0; i < 500 && !std::filesystem::exists(Socket()); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    auto client = ttrpc::Client::Create(thread_.reactor(), Connect());
    ASSERT_TRUE(client);
    client_ = *std::move(client);
  }

  std::string Socket() const { return dir_ + "/agent.sock"; }

  UniqueFd Connect() {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, Socket().c_str(), sizeof(name.sun_path) - 1);
    for (int i = 0; i < 500; ++i) {  // Bound, but perhaps not yet listening.
      UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0) {
        return fd;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "cannot connect";
    return {};
  }

  Result<void> Call(const std::string& method, const Message& request) {
    return client_->Call("grpc.AgentService", method, request, nullptr,
                         {std::chrono::seconds(20), {}});
  }

  Code CodeOf(const std::string& method, const Message& request) {
    const auto result = Call(method, request);
    return result ? Code{0} : result.error().code();
  }

  void ExpectServing() {
    auto client = ttrpc::Client::Create(thread_.reactor(), Connect());
    ASSERT_TRUE(client);
    grpc::HealthCheckResponse health;
    const auto result = (*client)->Call("grpc.Health", "Check", grpc::CheckRequest(), &health,
                                        {std::chrono::seconds(20), {}});
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(health.status(), grpc::HealthCheckResponse::SERVING);
  }

  std::string dir_ = testing::TempDir() + "hostile-XXXXXX";
  std::optional<ChildProcess> agent_;
  ttrpc::ReactorThread thread_;
  std::shared_ptr<ttrpc::Client> client_;
};

TEST_F(HostileHost, StopsInTheMiddleOfAFrame) {
  Start("");
  const std::string frame = ttrpc::RawPeer::RequestFrame(1, "grpc.Health", "Check", "");
  for (std::size_t length = 0; length < frame.size(); ++length) {
    ttrpc::RawPeer peer(Connect());
    peer.Write(std::string_view(frame).substr(0, length));
  }
  ttrpc::RawPeer silent(Connect());
  silent.Write(std::string_view(frame).substr(0, 12));  // And stays.
  ExpectServing();
}

TEST_F(HostileHost, SendsGarbage) {
  Start("");
  std::mt19937 random(7);
  for (int i = 0; i < 50; ++i) {
    std::string bytes(1 + random() % 4096, '\0');
    for (char& c : bytes)
      c = static_cast<char>(random());
    ttrpc::RawPeer peer(Connect());
    peer.Write(bytes);
  }
  ttrpc::RawPeer peer(Connect());
  peer.Write(ttrpc::RawPeer::RequestFrame(1, "grpc.AgentService", "CreateContainer", "\xff\xff"));
  const auto reply = peer.Read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->response.status().code(), static_cast<int>(Code::kInvalidArgument));
  ExpectServing();
}

TEST_F(HostileHost, SendsIdsThatAreNone) {
  Start("");
  const std::vector<std::string> ids = {
      "",          "/",       "..",     "../../etc", "a/b",
      "a\0b"s,     ".hidden", "-rf",    "a b",       "a\nb",
      "pstate~1x", "\x7f",    "\u00fc", "%s%n",      std::string(10'000, 'a')};
  for (int i = 0; i < Service().method_count(); ++i) {
    const auto& method = *Service().method(i);
    const auto request = NewRequest(method);
    const FieldDescriptor* field = method.input_type()->FindFieldByName("container_id");
    if (field == nullptr) continue;
    for (const std::string& id : ids) {
      request->GetReflection()->SetString(request.get(), field, id);
      EXPECT_EQ(CodeOf(method.name(), *request), Code::kInvalidArgument) << method.name() << id;
    }
    request->GetReflection()->SetString(request.get(), field, "web");
    const FieldDescriptor* exec = method.input_type()->FindFieldByName("exec_id");
    if (exec == nullptr) continue;
    request->GetReflection()->SetString(request.get(), exec, "../1");
    EXPECT_EQ(CodeOf(method.name(), *request), Code::kInvalidArgument) << method.name();
  }
  ExpectServing();
}

TEST_F(HostileHost, SetsAPolicyTwice) {
  Start("");
  grpc::SetPolicyRequest set;
  set.set_policy("package agent_policy\n");
  ASSERT_TRUE(Call("SetPolicy", set));
  set.set_policy("package agent_policy\nSetPolicyRequest := true\nExecProcessRequest := true\n");
  EXPECT_EQ(CodeOf("SetPolicy", set), Code::kPermissionDenied);
  grpc::ExecProcessRequest exec;
  exec.set_container_id("web");
  EXPECT_EQ(CodeOf("ExecProcess", exec), Code::kPermissionDenied);
}

TEST_F(HostileHost, RacesToSetAPolicy) {
  Start("");
  int accepted = 0;
  std::vector<std::thread> hosts;
  std::mutex mutex;
  for (int i = 0; i < 8; ++i) {
    hosts.emplace_back([&, i] {
      grpc::SetPolicyRequest set;
      set.set_policy("package agent_policy\n# " + std::to_string(i) + "\n");
      const bool ok = Call("SetPolicy", set).has_value();
      const std::lock_guard lock(mutex);
      accepted += ok ? 1 : 0;
    });
  }
  for (std::thread& host : hosts)
    host.join();
  EXPECT_EQ(accepted, 1);
}

TEST_F(HostileHost, SendsPoliciesThatAreNone) {
  Start("");
  grpc::SetPolicyRequest set;
  for (const std::string& policy :
       {""s, "not rego"s, "package agent_policy\nx {"s, std::string(100'000, '['),
        "package agent_policy\nx := " + std::string(100'000, '('),
        "package agent_policy\ndefault AllowRequestsFailingPolicy := true\n"s,
        std::string(kRequestLimit + 1, '#'), "\0\0\0"s}) {
    set.set_policy(policy);
    EXPECT_EQ(CodeOf("SetPolicy", set), Code::kInvalidArgument) << policy.substr(0, 50);
  }
  // Beyond a frame: refused by the client itself.
  set.set_policy(std::string(5U << 20, '#'));
  EXPECT_FALSE(Call("SetPolicy", set));
  ExpectServing();
}

TEST_F(HostileHost, SendsPoliciesThatNeverEnd) {
  Start("");
  grpc::SetPolicyRequest set;
  set.set_policy(
      "package agent_policy\nimport rego.v1\n"
      "r := numbers.range(1, 3000)\n"
      "GuestDetailsRequest if { some a in r; some b in r; some c in r; a + b + c < 0 }\n");
  ASSERT_TRUE(Call("SetPolicy", set));
  EXPECT_EQ(CodeOf("GetGuestDetails", grpc::GuestDetailsRequest()), Code::kPermissionDenied);
  ExpectServing();
}

// Whatever the order, an answer comes, and nothing that does not exist is acted on.
TEST_F(HostileHost, SendsRequestsOutOfOrder) {
  std::string policy = "package agent_policy\n";
  std::vector<std::string> methods = {
      "StartContainer",  "ExecProcess",    "SignalProcess", "RemoveContainer", "PauseContainer",
      "ResumeContainer", "StatsContainer", "WaitProcess",   "ReadStdout",      "ReadStderr",
      "WriteStdin",      "CloseStdin",     "TtyWinResize",  "UpdateContainer"};
  for (const std::string& method : methods) {
    const std::string& name = Service().FindMethodByName(method)->input_type()->name();
    if (name != "ReadStreamRequest" || method == "ReadStdout") policy += name + " := true\n";
  }
  Start(policy);
  for (const std::string& method : methods) {
    const auto& descriptor = *Service().FindMethodByName(method);
    const auto request = NewRequest(descriptor);
    request->GetReflection()->SetString(
        request.get(), descriptor.input_type()->FindFieldByName("container_id"), "absent");
    const auto result = Call(method, *request);
    ASSERT_FALSE(result) << method;
    EXPECT_NE(result.error().code(), Code::kDeadlineExceeded) << method;
    EXPECT_NE(result.error().code(), Code::kPermissionDenied) << method;
  }
  ExpectServing();
}

TEST_F(HostileHost, SendsFieldsThatThePolicyCannotSee) {
  Start("package agent_policy\nGuestDetailsRequest := true\n");
  grpc::GuestDetailsRequest request;
  ASSERT_TRUE(Call("GetGuestDetails", request));
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(500, "hidden");
  EXPECT_EQ(CodeOf("GetGuestDetails", request), Code::kInvalidArgument);
}

// A message of the type with random content, a few levels deep.
void Fill(Message& message, std::mt19937& random, int depth) {
  const auto& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (random() % 2 == 0) continue;
    const auto text = [&] {
      static const std::vector<std::string> kTexts = {
          "", "web", "/", "../..", "\xc3\xbc", "a\0b"s, "/pstate/x", std::string(5000, 'x')};
      return kTexts[random() % kTexts.size()];
    };
    if (field->is_map()) continue;
    if (field->is_repeated()) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        reflection.AddString(&message, field, text());
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth > 0) {
        Fill(*reflection.AddMessage(&message, field), random, depth - 1);
      }
      continue;
    }
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        reflection.SetString(&message, field, text());
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection.SetBool(&message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection.SetUInt32(&message, field, static_cast<std::uint32_t>(random()));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        reflection.SetInt64(&message, field, -static_cast<std::int64_t>(random()));
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth > 0) Fill(*reflection.MutableMessage(&message, field), random, depth - 1);
        break;
      default:
        break;
    }
  }
}

// The policy walks all of the input, and refuses it.
TEST_F(HostileHost, FlipsBitsInRequests) {
  std::string policy = "package agent_policy\nimport rego.v1\n";
  policy += "seen if { some path, value; walk(input, [path, value]); value == \"no such text\" }\n";
  std::set<std::string> names;
  for (int i = 0; i < Service().method_count(); ++i)
    names.insert(Service().method(i)->input_type()->name());
  for (const std::string& name : names)
    policy += name + " if seen\n";
  Start(policy);
  std::mt19937 random(11);
  ttrpc::RawPeer peer(Connect());
  std::uint32_t stream = 1;
  for (int round = 0; round < 2000; ++round) {
    const auto& method = *Service().method(
        static_cast<int>(random() % static_cast<unsigned>(Service().method_count())));
    const auto request = NewRequest(method);
    Fill(*request, random, 4);
    std::string payload = request->SerializeAsString();
    for (unsigned flips = random() % 4; flips > 0 && !payload.empty(); --flips) {
      char& c = payload[random() % payload.size()];
      c = static_cast<char>(c ^ (1 << random() % 8));
    }
    peer.Write(ttrpc::RawPeer::RequestFrame(stream, "grpc.AgentService", method.name(), payload));
    stream += 2;
    const auto reply = peer.Read();
    ASSERT_TRUE(reply) << method.name();
    const int code = reply->response.status().code();
    EXPECT_TRUE(code == static_cast<int>(Code::kInvalidArgument) ||
                code == static_cast<int>(Code::kPermissionDenied))
        << method.name() << ": " << code << " " << reply->response.status().message();
  }
  ExpectServing();
}

}  // namespace
}  // namespace kata_cc
