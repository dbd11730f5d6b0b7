// SPDX-License-Identifier: Apache-2.0
#include "shim/events/publisher.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/worker_pool.h"
#include "proto/containerd/events.pb.h"
#include "proto/containerd/events_service.pb.h"
#include "proto/ttrpc/server.h"

namespace kata_cc::shim {
namespace {

using containerd::services::events::ttrpc::v1::ForwardRequest;

// containerd's side: counts what it gets, and may fail the first calls.
class Containerd {
 public:
  Containerd(Reactor& reactor, WorkerPool& pool) : reactor_(reactor), server_(reactor, pool) {
    server_.Register("containerd.services.events.ttrpc.v1.Events", "Forward",
                     [this](const ttrpc::Call& call, ttrpc::Responder responder) {
                       if (failures-- > 0)
                         return std::move(responder).Fail(Error(Code::kInternal, "not now"));
                       ForwardRequest request;
                       request.ParseFromString(call.payload);
                       received.Lock()->push_back(std::move(request));
                       std::move(responder).ReplyBytes("");
                     });
  }

  void Listen(const std::string& path) {
    sockaddr_un name = {};
    name.sun_family = AF_UNIX;
    std::strcpy(name.sun_path, path.c_str());
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    ASSERT_EQ(::listen(fd.get(), 8), 0);
    auto shared = std::make_shared<UniqueFd>(std::move(fd));
    reactor_.Post([this, shared] { (void)server_.Listen(std::move(*shared)); });
  }

  void Close() { server_.Close(); }  // Reactor thread.

  std::atomic<int> failures = 0;
  Synced<std::vector<ForwardRequest>> received;

 private:
  Reactor& reactor_;
  ttrpc::Server server_;
};

class PublisherTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/publisher_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
    reactor_.reset(*Reactor::Create());
    thread_ = std::thread([this] { (void)reactor_->Run(); });
    containerd_ = std::make_unique<Containerd>(*reactor_, pool_);
  }
  void TearDown() override {
    reactor_->Post([this] {
      containerd_->Close();
      reactor_->Stop();
    });
    thread_.join();
    std::filesystem::remove_all(dir_);
  }
  PublisherOptions Options() {
    PublisherOptions options;
    options.ttrpc_address = dir_ + "/s";
    options.containerd_namespace = "k8s.io";
    options.retry_delay = std::chrono::milliseconds(5);
    return options;
  }
  static containerd::events::TaskStart Start(std::uint32_t pid) {
    containerd::events::TaskStart event;
    event.set_container_id("web");
    event.set_pid(pid);
    return event;
  }

  std::string dir_;
  std::unique_ptr<Reactor> reactor_;
  std::thread thread_;
  WorkerPool pool_{1};
  std::unique_ptr<Containerd> containerd_;
};

TEST_F(PublisherTest, EventsArriveInOrderWithBareTypeNames) {
  containerd_->Listen(dir_ + "/s");
  const auto publisher = EventPublisher::Create(*reactor_, Options());
  for (std::uint32_t pid = 1; pid <= 50; ++pid)
    publisher->Publish("/tasks/start", Start(pid));
  publisher->Flush(std::chrono::seconds(5));
  const auto received = *containerd_->received.Lock();
  ASSERT_EQ(received.size(), 50U);
  for (std::uint32_t i = 0; i < 50; ++i) {
    const auto& envelope = received[i].envelope();
    EXPECT_EQ(envelope.topic(), "/tasks/start");
    EXPECT_EQ(envelope.namespace_(), "k8s.io");
    EXPECT_EQ(envelope.event().type_url(), "containerd.events.TaskStart");
    containerd::events::TaskStart event;
    ASSERT_TRUE(event.ParseFromString(envelope.event().value()));
    EXPECT_EQ(event.pid(), i + 1);
  }
}

TEST_F(PublisherTest, AFailedEventIsTriedAgainAndStaysInOrder) {
  containerd_->failures = 3;
  containerd_->Listen(dir_ + "/s");
  const auto publisher = EventPublisher::Create(*reactor_, Options());
  publisher->Publish("/tasks/start", Start(1));
  publisher->Publish("/tasks/exit", Start(2));
  publisher->Flush(std::chrono::seconds(5));
  const auto received = *containerd_->received.Lock();
  ASSERT_EQ(received.size(), 2U);
  EXPECT_EQ(received[0].envelope().topic(), "/tasks/start");
  EXPECT_EQ(received[1].envelope().topic(), "/tasks/exit");
}

TEST_F(PublisherTest, ADaemonThatIsAwayCostsTheEventsNothingElse) {
  PublisherOptions options = Options();
  options.max_attempts = 2;
  const auto publisher = EventPublisher::Create(*reactor_, options);
  publisher->Publish("/tasks/start", Start(1));
  publisher->Flush(std::chrono::seconds(5));  // Given up.
  containerd_->Listen(dir_ + "/s");
  publisher->Publish("/tasks/start", Start(2));
  publisher->Flush(std::chrono::seconds(5));
  EXPECT_EQ(containerd_->received.Lock()->size(), 1U);
}

TEST_F(PublisherTest, TheQueueIsBounded) {
  PublisherOptions options = Options();
  options.max_queued = 3;
  options.retry_delay = std::chrono::milliseconds(50);
  const auto publisher = EventPublisher::Create(*reactor_, options);
  for (std::uint32_t pid = 1; pid <= 10; ++pid)
    publisher->Publish("/tasks/start", Start(pid));
  containerd_->Listen(dir_ + "/s");
  publisher->Flush(std::chrono::seconds(5));
  const auto received = *containerd_->received.Lock();
  EXPECT_LE(received.size(), 4U);
  containerd::events::TaskStart last;
  ASSERT_TRUE(last.ParseFromString(received.back().envelope().event().value()));
  EXPECT_EQ(last.pid(), 10U);  // The newest ones stay.
}

TEST_F(PublisherTest, WithoutAnAddressThePublishBinaryIsRun) {
  const std::string script = dir_ + "/containerd";
  std::ofstream(script) << "#!/bin/sh\necho \"$@\" > " << dir_ << "/args\ncat > " << dir_
                        << "/stdin\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  PublisherOptions options = Options();
  options.ttrpc_address.clear();
  options.publish_binary = script;
  options.grpc_address = "/run/c.sock";
  const auto publisher = EventPublisher::Create(*reactor_, options);
  publisher->Publish("/tasks/start", Start(7));
  publisher->Flush(std::chrono::seconds(5));
  std::ifstream args(dir_ + "/args");
  std::string line;
  std::getline(args, line);
  EXPECT_EQ(line, "--address /run/c.sock publish --topic /tasks/start --namespace k8s.io");
  std::ifstream input(dir_ + "/stdin");
  google::protobuf::Any any;
  ASSERT_TRUE(any.ParseFromIstream(&input));
  EXPECT_EQ(any.type_url(), "containerd.events.TaskStart");
}

}  // namespace
}  // namespace kata_cc::shim
