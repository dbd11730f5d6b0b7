// SPDX-License-Identifier: Apache-2.0
// The task API's behaviour against a fake VM and a fake agent that speaks real ttrpc.
#include "shim/sandbox/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include "proto/containerd/events.pb.h"
#include "shim/guest/rootfs_storages.h"
#include "shim/sandbox/fake_guest.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc::shim {
namespace {

namespace task = containerd::task::v2;

class RecordedEvents : public EventSink {
 public:
  void Publish(const std::string& topic, const google::protobuf::MessageLite& event) override {
    std::string line = topic;
    if (topic == "/tasks/exit") {
      containerd::events::TaskExit exit;
      exit.ParseFromString(event.SerializeAsString());
      line += " " + exit.id() + " " + std::to_string(exit.exit_status());
    }
    lines.Lock()->push_back(line);
  }
  std::vector<std::string> All() { return *lines.Lock(); }
  long Count(const std::string& line) {
    const auto all = All();
    return std::count(all.begin(), all.end(), line);
  }
  Synced<std::vector<std::string>> lines;
};

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    char pattern[] = "/tmp/sandbox_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
    reactor_.reset(*Reactor::Create());
    thread_ = std::thread([this] { (void)reactor_->Run(); });
    pool_ = std::make_unique<WorkerPool>(4);
    guest_pool_ = std::make_unique<WorkerPool>(2);
    agent_ = std::make_shared<FakeAgent>(*reactor_, *guest_pool_);
    vm_ = std::make_shared<FakeVmState>();
    config_.image_dir = dir_ + "/images";
    config_.tee = Tee::kNone;
    config_.dial_timeout = std::chrono::seconds(5);
    MakeSandbox("pod");
  }

  void TearDown() override {
    sandbox_->Terminate();
    agent_->Hangup();
    pool_.reset();
    sandbox_.reset();
    std::promise<void> done;
    reactor_->Post([&] { done.set_value(); });
    done.get_future().wait();
    guest_pool_.reset();
    agent_->script.Lock()->processes.clear();
    agent_->script.Lock()->unanswered.clear();
    reactor_->Post([this] { reactor_->Stop(); });
    thread_.join();
    agent_.reset();
    std::filesystem::remove_all(dir_);
  }

  void MakeSandbox(const std::string& id) {
    SandboxOptions options;
    options.sandbox_id = id;
    options.domain_name = "kata-cc-" + id;
    options.state_dir = dir_;
    options.read_config = [this](const auto&, const auto&) { return Result<Config>(config_); };
    options.create_vm = [this](VmConfig config) {
      return MakeFakeVm(std::move(config), vm_, agent_);
    };
    options.build_rootfs = [this](const RootfsRequest& request) -> Result<void> {
      if (rootfs_fails_) return Error(Code::kInternal, "rootfs: no space");
      std::ofstream(request.image) << "image";
      return {};
    };
    options.drain_timeout = std::chrono::milliseconds(200);
    options.exec_end_timeout = std::chrono::milliseconds(100);
    sandbox_ = Sandbox::Create(*reactor_, *pool_, events_, std::move(options));
  }

  task::CreateTaskRequest Request(const std::string& id, const std::string& annotations = "") {
    const std::string bundle = dir_ + "/bundle-" + id;
    std::filesystem::create_directories(bundle + "/rootfs");
    std::ofstream(bundle + "/config.json")
        << R"({"ociVersion":"1.0.2","process":{"args":["sh"],"cwd":"/"},)"
           R"("root":{"path":"rootfs"},"hostname":"web","linux":{"namespaces":[)"
        << namespaces_ << R"(]},"annotations":{)" << annotations << "}}";
    task::CreateTaskRequest request;
    request.set_id(id);
    request.set_bundle(bundle);
    for (const char* stream : {"in", "out"}) {
      const std::string fifo = bundle + "/" + stream;
      ::mkfifo(fifo.c_str(), 0600);
      (std::string(stream) == "in") ? request.set_stdin(fifo) : request.set_stdout(fifo);
    }
    return request;
  }
  static LayerFile Layer(char digit) {
    LayerFile layer;
    layer.path = std::string("/layers/") + digit;
    layer.root_hash.fill(static_cast<std::uint8_t>(digit));
    layer.geometry.data_blocks = 2;
    return layer;
  }
  static std::string Serial(char digit) { return LayerSerial(Layer(digit).root_hash); }
  std::string WriteList(const LayerList& list) const {
    std::ofstream(dir_ + "/layers.json") << EncodeLayerList(list);
    return std::string(kLayerListSource) + dir_ + "/layers.json";
  }
  Result<std::uint32_t> CreateOf(const std::string& id, const std::string& annotations,
                                 const std::vector<char>& layers) {
    LayerList list;
    for (const char digit : layers)
      list.layers.push_back(Layer(digit));
    task::CreateTaskRequest request = Request(id, annotations);
    auto* mount = request.add_rootfs();
    mount->set_type("overlay");
    mount->set_source(WriteList(list));
    return sandbox_->CreateTask(request);
  }
  static std::string InPod() {
    return R"("io.kubernetes.cri.container-type":"container","io.kubernetes.cri.sandbox-id":"pod")";
  }
  static std::string Pause() { return R"("io.kubernetes.cri.container-type":"sandbox")"; }

  void CreateAndStart(const std::string& id, const std::string& annotations = "") {
    const auto created = sandbox_->CreateTask(Request(id, annotations));
    ASSERT_TRUE(created) << created.error().message();
    const auto started = sandbox_->Start(id, "");
    ASSERT_TRUE(started) << started.error().message();
  }
  Result<void> AddExec(const std::string& id, const std::string& exec_id) {
    task::ExecProcessRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    request.mutable_spec()->set_value(R"({"args":["ls"],"cwd":"/"})");
    return sandbox_->Exec(request);
  }
  Result<void> Kill(const std::string& id, const std::string& exec_id, std::uint32_t signal) {
    task::KillRequest request;
    request.set_id(id);
    request.set_exec_id(exec_id);
    request.set_signal(signal);
    return sandbox_->Kill(request);
  }
  // The exit status, or -1 when there is none within two seconds.
  int AwaitExit(const std::string& id, const std::string& exec_id = "") {
    auto promise = std::make_shared<std::promise<int>>();
    auto future = promise->get_future();
    const auto waiter = sandbox_->Wait(id, exec_id, [promise](const Exit& exit) {
      promise->set_value(static_cast<int>(exit.status));
    });
    if (!waiter) return -2;
    return future.wait_for(std::chrono::seconds(2)) == std::future_status::ready ? future.get()
                                                                                 : -1;
  }
  template <typename Condition>
  bool Eventually(Condition condition) {
    for (int i = 0; i < 400; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  std::vector<std::string> Calls() { return agent_->script.Lock()->calls; }
  bool Called(const std::string& line) {
    const auto calls = Calls();
    return std::find(calls.begin(), calls.end(), line) != calls.end();
  }

  std::string dir_;
  Config config_;
  bool rootfs_fails_ = false;
  std::string namespaces_ = R"({"type":"network"})";
  RecordedEvents events_;
  std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<WorkerPool> guest_pool_;
  std::shared_ptr<FakeAgent> agent_;
  std::shared_ptr<FakeVmState> vm_;
  std::shared_ptr<Sandbox> sandbox_;
};

TEST_F(SandboxTest, AContainerLivesItsWholeLife) {
  const auto request = Request("pod", R"("io.katacontainers.config.agent.policy":"YWJj")");
  const auto created = sandbox_->CreateTask(request);
  ASSERT_TRUE(created) << created.error().message();
  EXPECT_GT(*created, 0U);
  EXPECT_EQ(sandbox_->State("pod", "")->status(), containerd::v1::types::CREATED);
  auto waiting = std::async(std::launch::async, [&] { return AwaitExit("pod"); });
  const UniqueFd reader = *OpenFile(request.stdout(), O_RDONLY | O_NONBLOCK);
  agent_->script.Lock()->processes["pod/"].output = "hello";
  ASSERT_TRUE(sandbox_->Start("pod", ""));
  EXPECT_EQ(sandbox_->State("pod", "")->status(), containerd::v1::types::RUNNING);
  agent_->Exit("pod/", 3);
  EXPECT_EQ(waiting.get(), 3);
  const auto state = sandbox_->State("pod", "");
  EXPECT_EQ(state->status(), containerd::v1::types::STOPPED);
  EXPECT_EQ(state->exit_status(), 3U);
  EXPECT_TRUE(Eventually([&] { return vm_->stopped.load(); }));  // Before Delete already.
  const auto deleted = sandbox_->Delete("pod", "");
  ASSERT_TRUE(deleted) << deleted.error().message();
  EXPECT_EQ(deleted->exit_status(), 3U);
  char text[16] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 5);
  EXPECT_STREQ(text, "hello");
  EXPECT_EQ(sandbox_->Delete("pod", "").error().code(), Code::kNotFound);
  EXPECT_TRUE(sandbox_->Shutdown(std::chrono::seconds(2)));
  EXPECT_EQ(events_.All(), (std::vector<std::string>{"/tasks/create", "/tasks/start",
                                                     "/tasks/exit pod 3", "/tasks/delete"}));
  const auto calls = Calls();
  ASSERT_GE(calls.size(), 4U);
  EXPECT_EQ(calls[0], "SetPolicy");
  EXPECT_EQ(calls[1], "CreateSandbox");
  EXPECT_EQ(calls[2], "CreateContainer pod/pod");
  EXPECT_EQ(calls[3], "StartContainer pod");
  EXPECT_TRUE(Called("DestroySandbox"));
  EXPECT_EQ(agent_->script.Lock()->policy, "abc");
  EXPECT_FALSE(std::filesystem::exists(config_.image_dir + "/kata-cc-pod"));
  const auto sent = agent_->script.Lock()->created["pod"];
  EXPECT_TRUE(sent.oci().annotations().empty());
  ASSERT_EQ(sent.storages_size(), 2);
  EXPECT_EQ(sent.storages(0).driver(), "blk");
  EXPECT_EQ(sent.storages(0).source(), "rootfs0");
  EXPECT_EQ(sent.storages(1).mount_point(), sent.oci().root().path());
  EXPECT_TRUE((*vm_->config.Lock())->host_data.has_value());
}

TEST_F(SandboxTest, APodOfTwoContainersSharesOneVm) {
  CreateAndStart("pod", Pause());
  CreateAndStart("app", InPod());
  agent_->Exit("app/", 0);
  EXPECT_EQ(AwaitExit("app"), 0);
  ASSERT_TRUE(sandbox_->Delete("app", ""));
  EXPECT_TRUE(Called("RemoveContainer app"));
  EXPECT_FALSE(vm_->stopped);  // The pod goes on: its next container may come.
  EXPECT_EQ(vm_->disks.Lock()->size(), 1U);
  EXPECT_FALSE(sandbox_->Shutdown(std::chrono::milliseconds(50)));
  CreateAndStart("app2", InPod());
  ASSERT_TRUE(Kill("app2", "", SIGKILL));
  EXPECT_EQ(AwaitExit("app2"), 137);
  ASSERT_TRUE(Kill("pod", "", SIGTERM));
  EXPECT_EQ(AwaitExit("pod"), 143);
  EXPECT_TRUE(Eventually([&] { return vm_->stopped.load(); }));
  EXPECT_TRUE(sandbox_->Delete("app2", ""));
  EXPECT_TRUE(sandbox_->Delete("pod", ""));
  EXPECT_TRUE(sandbox_->Shutdown(std::chrono::seconds(2)));
}

TEST_F(SandboxTest, LayersAreAttachedOnceForAllContainersThatHaveThem) {
  config_.tee = Tee::kSnp;
  rootfs_fails_ = true;  // No image is built.
  ASSERT_TRUE(CreateOf("pod", Pause(), {'a'}));
  ASSERT_TRUE(CreateOf("one", InPod(), {'b', 'a'}));
  ASSERT_TRUE(CreateOf("two", InPod(), {'c', 'a'}));
  EXPECT_EQ(*vm_->disks.Lock(), (std::set<std::string>{Serial('a'), Serial('b'), Serial('c')}));
  const auto request = agent_->script.Lock()->created["one"];
  ASSERT_EQ(request.storages_size(), 3);
  EXPECT_EQ(request.storages(0).source(), Serial('b'));
  EXPECT_EQ(request.storages(1).source(), Serial('a'));
  EXPECT_EQ(request.storages(2).driver(), "overlayfs");
  ASSERT_TRUE(sandbox_->Delete("one", ""));
  EXPECT_EQ(*vm_->disks.Lock(), (std::set<std::string>{Serial('a'), Serial('c')}));
  ASSERT_TRUE(CreateOf("one", InPod(), {'b', 'a'}));
  EXPECT_EQ(vm_->disks.Lock()->size(), 3U);
}

TEST_F(SandboxTest, AFailedCreationGivesBackItsLayersAndNoOthers) {
  config_.tee = Tee::kSnp;
  ASSERT_TRUE(CreateOf("pod", Pause(), {'a'}));
  agent_->script.Lock()->refused.emplace("CreateContainer",
                                         Error(Code::kPermissionDenied, "policy"));
  EXPECT_FALSE(CreateOf("one", InPod(), {'b', 'a'}));
  EXPECT_EQ(*vm_->disks.Lock(), (std::set<std::string>{Serial('a')}));
  // A disk that cannot be attached: the ones before it are given back.
  vm_->disks.Lock()->insert(Serial('c'));
  EXPECT_FALSE(CreateOf("two", InPod(), {'b', 'a', 'c'}));
  EXPECT_EQ(*vm_->disks.Lock(), (std::set<std::string>{Serial('a'), Serial('c')}));
}

TEST_F(SandboxTest, TheHostsNetworkIsNotForAConfidentialPod) {
  config_.tee = Tee::kSnp;
  for (const char* host : {"", R"({"type":"network","path":"/proc/self/ns/net"})"}) {
    namespaces_ = host;
    MakeSandbox("pod");
    const auto created = sandbox_->CreateTask(Request("pod"));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code(), Code::kFailedPrecondition);
    EXPECT_TRUE(created.error().message().starts_with("pod network: hostNetwork: "))
        << created.error().message();
  }
  EXPECT_FALSE(vm_->started);
  config_.tee = Tee::kNone;  // There it has none, and the log says so.
  MakeSandbox("pod");
  ASSERT_TRUE(sandbox_->CreateTask(Request("pod")));
  EXPECT_TRUE((*vm_->config.Lock())->nics.empty());
  EXPECT_FALSE(Called("UpdateInterface"));
}

TEST_F(SandboxTest, ANetworkNamespaceThatIsNoneIsNamed) {
  namespaces_ = R"({"type":"network","path":"/proc/self/ns/mnt"})";
  const auto created = sandbox_->CreateTask(Request("pod"));
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().message(), "pod network: /proc/self/ns/mnt: no network namespace");
  EXPECT_FALSE(vm_->started);
}

TEST_F(SandboxTest, AConfidentialSandboxTakesVerifiedLayersOnly) {
  config_.tee = Tee::kSnp;
  const auto refusal = [&](const task::CreateTaskRequest& request) {
    MakeSandbox("pod");
    const auto created = sandbox_->CreateTask(request);
    return created ? std::string() : created.error().message();
  };
  EXPECT_NE(refusal(Request("pod")).find("verified layers"), std::string::npos);
  task::CreateTaskRequest request = Request("pod");
  auto* mount = request.add_rootfs();
  mount->set_type("overlay");
  mount->set_source("overlay");
  EXPECT_NE(refusal(request).find("kata-cc-snapshotter"), std::string::npos);
  LayerList list;
  list.problem = "pull the image again";
  mount->set_source(WriteList(list));
  EXPECT_NE(refusal(request).find("pull the image again"), std::string::npos);
  std::ofstream(dir_ + "/layers.json") << "{";
  EXPECT_NE(refusal(request).find("layers.json"), std::string::npos);
  mount->set_source("kata-cc-layers:/no/such");
  EXPECT_NE(refusal(request).find("/no/such"), std::string::npos);
  EXPECT_FALSE(vm_->started);
  config_.tee = Tee::kNone;  // The host's view of the same mounts will do there.
  mount->set_source(WriteList(list));
  EXPECT_EQ(refusal(request), "");
}

TEST_F(SandboxTest, ExecsRunAndEndBeforeTheirContainer) {
  CreateAndStart("pod");
  ASSERT_TRUE(AddExec("pod", "e1"));
  EXPECT_EQ(AddExec("pod", "e1").error().code(), Code::kAlreadyExists);
  EXPECT_EQ(Kill("pod", "e1", SIGTERM).error().code(), Code::kFailedPrecondition);
  ASSERT_TRUE(sandbox_->Start("pod", "e1"));
  EXPECT_EQ(sandbox_->State("pod", "e1")->id(), "e1");
  EXPECT_EQ(sandbox_->Delete("pod", "e1").error().code(), Code::kFailedPrecondition);
  agent_->Exit("pod/e1", 7);
  EXPECT_EQ(AwaitExit("pod", "e1"), 7);
  EXPECT_EQ(Kill("pod", "e1", SIGKILL).error().code(), Code::kNotFound);
  EXPECT_EQ(sandbox_->Delete("pod", "e1")->exit_status(), 7U);
  EXPECT_EQ(sandbox_->State("pod", "e1").error().code(), Code::kNotFound);

  ASSERT_TRUE(AddExec("pod", "e2"));
  ASSERT_TRUE(sandbox_->Start("pod", "e2"));
  agent_->Exit("pod/", 0);  // The exec still runs; it is killed, and told first.
  EXPECT_EQ(AwaitExit("pod"), 0);
  const auto all = events_.All();
  const auto exec_exit = std::find(all.begin(), all.end(), "/tasks/exit e2 137");
  const auto init_exit = std::find(all.begin(), all.end(), "/tasks/exit pod 0");
  ASSERT_NE(exec_exit, all.end());
  EXPECT_LT(exec_exit - all.begin(), init_exit - all.begin());
  EXPECT_EQ(sandbox_->Start("pod", "e2").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(AddExec("pod", "e3").error().code(), Code::kFailedPrecondition);
}

TEST_F(SandboxTest, ARefusedExecSaysWhyAndCanBeDeleted) {
  CreateAndStart("pod");
  agent_->script.Lock()->refused.insert(
      {"ExecProcess",
       Error(Code::kPermissionDenied, "ExecProcessRequest is blocked by policy: no rule")});
  ASSERT_TRUE(AddExec("pod", "e1"));
  const auto started = sandbox_->Start("pod", "e1");
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), Code::kPermissionDenied);
  EXPECT_NE(started.error().message().find("ExecProcessRequest is blocked by policy: no rule"),
            std::string::npos);
  EXPECT_TRUE(sandbox_->Delete("pod", "e1"));
  EXPECT_EQ(sandbox_->State("pod", "")->status(), containerd::v1::types::RUNNING);
}

TEST_F(SandboxTest, DeniedLogsEndTheStreamAndNothingElse) {
  agent_->script.Lock()->refused.insert(
      {"ReadStdout", Error(Code::kPermissionDenied, "ReadStreamRequest is blocked by policy")});
  CreateAndStart("pod");
  ASSERT_TRUE(AddExec("pod", "e1"));
  EXPECT_TRUE(sandbox_->Start("pod", "e1"));
  agent_->Exit("pod/e1", 0);
  EXPECT_EQ(AwaitExit("pod", "e1"), 0);
  EXPECT_EQ(sandbox_->State("pod", "")->status(), containerd::v1::types::RUNNING);
}

TEST_F(SandboxTest, StdinReachesTheGuestAndEndsWithCloseIo) {
  const auto request = Request("pod");
  ASSERT_TRUE(sandbox_->CreateTask(request));
  const UniqueFd writer = *OpenFile(request.stdin(), O_WRONLY | O_NONBLOCK);
  ASSERT_EQ(::write(writer.get(), "typed", 5), 5);
  ASSERT_TRUE(sandbox_->Start("pod", ""));
  EXPECT_TRUE(
      Eventually([&] { return agent_->script.Lock()->processes["pod/"].input == "typed"; }));
  EXPECT_TRUE(sandbox_->CloseIo("pod", ""));
}

TEST_F(SandboxTest, AKilledVmmEndsEveryProcessAndLeavesTheRecords) {
  CreateAndStart("pod", Pause());
  CreateAndStart("app", InPod());
  ASSERT_TRUE(AddExec("app", "e1"));
  ASSERT_TRUE(sandbox_->Start("app", "e1"));
  ASSERT_EQ(::pidfd_send_signal(vm_->vmm_pidfd, SIGKILL, nullptr, 0), 0);
  EXPECT_EQ(AwaitExit("app", "e1"), 255);
  EXPECT_EQ(AwaitExit("app"), 255);
  EXPECT_EQ(AwaitExit("pod"), 255);
  EXPECT_EQ(Kill("app", "", SIGKILL).error().code(), Code::kNotFound);
  EXPECT_TRUE(sandbox_->Delete("app", "e1"));
  EXPECT_EQ(sandbox_->Delete("app", "")->exit_status(), 255U);
  EXPECT_TRUE(sandbox_->Delete("pod", ""));
  EXPECT_TRUE(sandbox_->Shutdown(std::chrono::seconds(2)));
  for (const char* line : {"/tasks/exit e1 255", "/tasks/exit app 255", "/tasks/exit pod 255"})
    EXPECT_EQ(events_.Count(line), 1) << line;
}

TEST_F(SandboxTest, ALostConnectionIsALostVm) {
  CreateAndStart("pod");
  agent_->Hangup();
  EXPECT_EQ(AwaitExit("pod"), 255);
  EXPECT_TRUE(Eventually([&] { return vm_->stopped.load(); }));
}

TEST_F(SandboxTest, AVmThatNeverBootsFailsInTimeWithItsConsole) {
  config_.dial_timeout = std::chrono::seconds(1);
  vm_->boots = false;
  const auto began = std::chrono::steady_clock::now();
  const auto created = sandbox_->CreateTask(Request("pod"));
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), Code::kDeadlineExceeded);
  EXPECT_NE(created.error().message().find("Kernel panic"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
  EXPECT_TRUE(vm_->stopped);
  EXPECT_TRUE(sandbox_->empty());
  EXPECT_TRUE(sandbox_->Shutdown(std::chrono::milliseconds(10)));
  EXPECT_TRUE(events_.All().empty());
}

TEST_F(SandboxTest, DeleteAbortsACreationThatHangs) {
  config_.dial_timeout = std::chrono::seconds(60);
  vm_->boots = false;
  const auto request = Request("pod");
  auto creating = std::async(std::launch::async, [&] { return sandbox_->CreateTask(request); });
  ASSERT_TRUE(Eventually([&] { return vm_->started.load(); }));
  EXPECT_EQ(sandbox_->Delete("pod", "").error().code(), Code::kNotFound);
  const auto created = creating.get();
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), Code::kCancelled);
  EXPECT_TRUE(vm_->stopped);
}

TEST_F(SandboxTest, AFailedRootfsOrARefusedContainerLeavesNothing) {
  CreateAndStart("pod", Pause());
  rootfs_fails_ = true;
  EXPECT_FALSE(sandbox_->CreateTask(Request("a", InPod())));
  rootfs_fails_ = false;
  agent_->script.Lock()->refused.insert(
      {"CreateContainer",
       Error(Code::kPermissionDenied, "CreateContainerRequest is blocked by policy")});
  const auto refused = sandbox_->CreateTask(Request("b", InPod()));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("blocked by policy"), std::string::npos);
  EXPECT_EQ(vm_->disks.Lock()->size(), 1U);
  EXPECT_EQ(sandbox_->State("b", "").error().code(), Code::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(config_.image_dir + "/kata-cc-pod/b"));
  EXPECT_FALSE(vm_->stopped);
}

TEST_F(SandboxTest, RequestsOutOfOrderAreRefused) {
  EXPECT_EQ(sandbox_->Start("pod", "").error().code(), Code::kNotFound);
  EXPECT_EQ(sandbox_->Delete("pod", "").error().code(), Code::kNotFound);
  EXPECT_EQ(sandbox_->Pids("pod").error().code(), Code::kNotFound);
  EXPECT_EQ(AwaitExit("pod"), -2);
  EXPECT_EQ(sandbox_->TaskPid("pod"), 0U);
  EXPECT_EQ(AddExec("pod", "e").error().code(), Code::kNotFound);
  EXPECT_EQ(sandbox_->CreateTask(Request("app", InPod())).error().code(),
            Code::kFailedPrecondition);  // Before its sandbox.
  const auto request = Request("pod");
  ASSERT_TRUE(sandbox_->CreateTask(request));
  EXPECT_EQ(sandbox_->CreateTask(request).error().code(), Code::kAlreadyExists);
  ASSERT_TRUE(AddExec("pod", "early"));
  EXPECT_EQ(sandbox_->Start("pod", "early").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(sandbox_->Pause("pod").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(sandbox_->Stats("pod").error().code(), Code::kNotFound);
  ASSERT_TRUE(sandbox_->Start("pod", ""));
  EXPECT_EQ(sandbox_->Start("pod", "").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(sandbox_->Delete("pod", "").error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(Kill("pod", "", 0).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Kill("pod", "", 65).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(sandbox_->Resume("pod").error().code(), Code::kFailedPrecondition);
}

TEST_F(SandboxTest, BadIdsBundlesAndAnnotationsAreInvalid) {
  for (const std::string& id : {std::string("a/b"), std::string(".."), std::string("a\0b", 3),
                                std::string(10000, 'a'), std::string()}) {
    task::CreateTaskRequest request;
    request.set_id(id);
    request.set_bundle(dir_);
    EXPECT_EQ(sandbox_->CreateTask(request).error().code(), Code::kInvalidArgument);
    task::ExecProcessRequest exec;
    exec.set_id("pod");
    exec.set_exec_id(id);
    EXPECT_EQ(sandbox_->Exec(exec).error().code(), Code::kInvalidArgument);
  }
  task::CreateTaskRequest missing;
  missing.set_id("pod");
  missing.set_bundle(dir_ + "/none");
  EXPECT_EQ(sandbox_->CreateTask(missing).error().code(), Code::kNotFound);
  for (const char* annotations : {R"("io.kubernetes.cri.container-type":"vm")",
                                  R"("io.katacontainers.config.agent.policy":"***")"}) {
    const auto created = sandbox_->CreateTask(Request("pod", annotations));
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code(), Code::kInvalidArgument);
    EXPECT_FALSE(vm_->started);
    MakeSandbox("pod");
  }
  EXPECT_EQ(sandbox_->CreateTask(Request("other")).error().code(), Code::kInvalidArgument);
}

TEST_F(SandboxTest, PauseResumeUpdateStatsAndResizeReachTheGuest) {
  auto request = Request("pod");
  request.set_terminal(true);
  ASSERT_TRUE(sandbox_->CreateTask(request));
  task::ResizePtyRequest resize;
  resize.set_id("pod");
  resize.set_width(80);
  resize.set_height(24);
  EXPECT_TRUE(sandbox_->ResizePty(resize));  // Kept until the start.
  EXPECT_FALSE(Called("TtyWinResize pod/"));
  ASSERT_TRUE(sandbox_->Start("pod", ""));
  EXPECT_TRUE(Called("TtyWinResize pod/"));
  EXPECT_TRUE(sandbox_->Pause("pod"));
  EXPECT_EQ(sandbox_->State("pod", "")->status(), containerd::v1::types::PAUSED);
  EXPECT_TRUE(sandbox_->Resume("pod"));
  task::UpdateTaskRequest update;
  update.set_id("pod");
  update.mutable_resources()->set_value(R"({"cpu":{"shares":7}})");
  EXPECT_TRUE(sandbox_->Update(update));
  update.mutable_resources()->set_value("{");
  EXPECT_EQ(sandbox_->Update(update).error().code(), Code::kInvalidArgument);
  const auto stats = sandbox_->Stats("pod");
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->memory().usage(), 4096U);
  EXPECT_TRUE(stats->has_cpu() && stats->has_pids());
}

TEST_F(SandboxTest, OutputHeldByAGrandchildDelaysDeleteNoLongerThanTheLimit) {
  CreateAndStart("pod", Pause());
  agent_->script.Lock()->processes["app/"].hold_output = true;
  CreateAndStart("app", InPod());
  agent_->Exit("app/", 0);
  EXPECT_EQ(AwaitExit("app"), 0);
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(sandbox_->Delete("app", ""));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
}

// ctr closes its FIFOs when it hears of the exit: what comes later is lost.
TEST_F(SandboxTest, TheExitIsToldAfterTheOutput) {
  const auto request = Request("pod");
  ASSERT_TRUE(sandbox_->CreateTask(request));
  const UniqueFd reader = *OpenFile(request.stdout(), O_RDONLY | O_NONBLOCK);
  agent_->script.Lock()->processes["pod/"].hold_output = true;
  ASSERT_TRUE(sandbox_->Start("pod", ""));
  ASSERT_TRUE(
      Eventually([&] { return !agent_->script.Lock()->processes["pod/"].reading.empty(); }));
  auto waiting = std::async(std::launch::async, [&] { return AwaitExit("pod"); });
  agent_->Exit("pod/", 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  agent_->EndOutput("pod/", "late");
  EXPECT_EQ(waiting.get(), 0);
  char text[16] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 4);
  EXPECT_STREQ(text, "late");
}

TEST_F(SandboxTest, ADroppedWaiterIsNotCalled) {
  CreateAndStart("pod");
  std::atomic<int> called = 0;
  const auto waiter = sandbox_->Wait("pod", "", [&](const Exit&) { ++called; });
  ASSERT_TRUE(waiter);
  sandbox_->DropWaiter("pod", "", *waiter);
  agent_->Exit("pod/", 0);
  EXPECT_EQ(AwaitExit("pod"), 0);
  EXPECT_EQ(called, 0);
}

TEST_F(SandboxTest, TerminateEndsThePod) {
  CreateAndStart("pod");
  sandbox_->Terminate();
  EXPECT_TRUE(vm_->stopped);
  EXPECT_EQ(AwaitExit("pod"), 137);
}

}  // namespace
}  // namespace kata_cc::shim
