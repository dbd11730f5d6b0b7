// SPDX-License-Identifier: Apache-2.0
// Our server against the genuine Go client, and our client against the genuine Go server. The Go
// program (go/) is built by the ctest fixture; its path is the one argument.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "base/process.h"
#include "proto/ttrpc/client.h"
#include "proto/ttrpc/test_peer.h"
#include "tests/ttrpc/interop_service.h"

namespace kata_cc::ttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::ttrpc::KeyValue;

std::string go_ttrpc;  // NOLINT: set once by main().

class TempDir {
 public:
  TempDir() { EXPECT_NE(::mkdtemp(path_), nullptr); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ + ("/" + name); }

 private:
  char path_[32] = "/tmp/ttrpc-interop-XXXXXX";
};

TEST(InteropTest, GoClientIsContentWithOurServer) {
  const TempDir dir;
  const std::string path = dir.File("socket");
  ReactorThread thread;
  auto pool = std::make_unique<WorkerPool>(4);
  std::unique_ptr<Server> server;
  thread.Run([&] {
    server = std::make_unique<Server>(thread.reactor(), *pool);
    RegisterInterop(thread.reactor(), *server);
    auto listener = ListenUnix(path);
    ASSERT_TRUE(listener.has_value());
    ASSERT_TRUE(server->Listen(*std::move(listener), /*own_uid_only=*/true).has_value());
  });
  auto check = ChildProcess::Spawn({go_ttrpc, "check", path});
  ASSERT_TRUE(check.has_value());
  EXPECT_EQ(*check->Wait(), 0);
  thread.Run([&] { server.reset(); });
}

// A Go server that ends with its standard input.
class GoServerTest : public testing::Test {
 protected:
  void SetUp() override {
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    ASSERT_EQ(::pipe2(in, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(out, O_CLOEXEC), 0);
    const UniqueFd child_in(in[0]);
    stdin_ = UniqueFd(in[1]);
    const UniqueFd from_child(out[0]);
    UniqueFd child_out(out[1]);
    const std::string path = dir_.File("socket");
    auto spawned = ChildProcess::Spawn({go_ttrpc, "server", path},
                                       {.stdin_fd = child_in.get(), .stdout_fd = child_out.get()});
    ASSERT_TRUE(spawned.has_value());
    server_ = std::make_unique<ChildProcess>(*std::move(spawned));
    child_out.Reset();
    char line[16];
    ASSERT_GT(::read(from_child.get(), line, sizeof(line)), 0);  // "serving"
    auto stream = DialUnix(path);
    ASSERT_TRUE(stream.has_value()) << stream.error().message();
    client_ = *Client::Create(thread_.reactor(), *std::move(stream));
  }

  void TearDown() override {
    stdin_.Reset();
    if (server_) {
      EXPECT_EQ(*server_->Wait(), 0);
    }
  }

  Result<std::string> Ask(const std::string& method, const std::string& value,
                          CallOptions options = {}) {
    KeyValue in;
    in.set_value(value);
    KeyValue out;
    TRY(client_->Call(kInteropService, method, in, &out, std::move(options)));
    return out.value();
  }

  const TempDir dir_;
  UniqueFd stdin_;
  std::unique_ptr<ChildProcess> server_;
  ReactorThread thread_;
  std::shared_ptr<Client> client_;
};

TEST_F(GoServerTest, EchoesOfManySizes) {
  for (const std::size_t size : {0U, 1U, 127U, 128U, 4096U, 65536U, 1U << 20U, 4'194'200U}) {
    const auto got = Ask("Echo", std::string(size, 'x'));
    ASSERT_TRUE(got.has_value()) << size << got.error().message();
    EXPECT_EQ(got->size(), size);
  }
}

TEST_F(GoServerTest, StatusCodesAndTexts) {
  for (int code = 1; code <= 15; ++code) {
    const auto got = Ask("Fail", std::to_string(code) + " text");
    ASSERT_FALSE(got.has_value());
    EXPECT_EQ(static_cast<int>(got.error().code()), code);
    EXPECT_EQ(got.error().message(), "text");
  }
}

TEST_F(GoServerTest, UnknownServiceAndMethod) {
  const auto got = Ask("Nothing", "");
  EXPECT_EQ(got.error().code(), Code::kUnimplemented);
  EXPECT_EQ(got.error().message(), "method Nothing");
  const auto unknown = client_->Call("no.such.Service", "Echo", KeyValue(), nullptr);
  EXPECT_EQ(unknown.error().code(), Code::kUnimplemented);
  EXPECT_EQ(unknown.error().message(), "service no.such.Service");
}

TEST_F(GoServerTest, MetadataArrives) {
  EXPECT_EQ(*Ask("Metadata", "key", {.timeout = {}, .metadata = {{"key", "1"}, {"key", "2"}}}),
            "1,2");
}

TEST_F(GoServerTest, DeadlinesEndCalls) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Ask("Sleep", "30000", {.timeout = milliseconds(50), .metadata = {}}).error().code(),
            Code::kDeadlineExceeded);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
  EXPECT_EQ(*Ask("Sleep", "10", {.timeout = seconds(60), .metadata = {}}), "10");
}

TEST_F(GoServerTest, OversizeMessagesFailAloneAtBothEnds) {
  EXPECT_EQ(Ask("Echo", std::string(4U << 20U, 'x')).error().code(), Code::kResourceExhausted);
  // Go's 1.1 server sends a reply that is too long; its reader drops it.
  EXPECT_EQ(Ask("Big", "4194304").error().code(), Code::kResourceExhausted);
  EXPECT_EQ(*Ask("Echo", "alive"), "alive");
}

TEST_F(GoServerTest, FiveHundredCallsInFlight) {
  std::atomic<int> right = 0;
  std::atomic<int> left = 500;
  std::promise<void> all;
  for (int i = 0; i < 500; ++i) {
    KeyValue in;
    in.set_value(i % 2 == 0 ? "300" : std::to_string(i));
    client_->CallAsync(kInteropService, i % 2 == 0 ? "Sleep" : "Echo", in.SerializeAsString(), {},
                       [&, want = in.value()](const Result<std::string>& result) {
                         KeyValue out;
                         if (result && out.ParseFromString(*result) && out.value() == want) ++right;
                         if (--left == 0) all.set_value();
                       });
  }
  ASSERT_EQ(all.get_future().wait_for(seconds(30)), std::future_status::ready);
  EXPECT_EQ(right, 500);
}

TEST_F(GoServerTest, TheServersEndAnswersCallsInFlight) {
  std::promise<Result<std::string>> answer;
  KeyValue in;
  in.set_value("30000");
  client_->CallAsync(kInteropService, "Sleep", in.SerializeAsString(), {},
                     [&](Result<std::string> result) { answer.set_value(std::move(result)); });
  ASSERT_TRUE(Ask("Echo", "x").has_value());
  stdin_.Reset();
  EXPECT_EQ(answer.get_future().get().error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace kata_cc::ttrpc

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    std::cerr << "usage: ttrpc_interop_test PATH_OF_GO_TTRPC\n";
    return 2;
  }
  kata_cc::ttrpc::go_ttrpc = argv[1];
  return RUN_ALL_TESTS();
}
