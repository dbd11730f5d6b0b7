// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <atomic>
#include <set>

#include "proto/ttrpc/test_peer.h"

namespace kata_cc::ttrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kResourceExhausted = static_cast<int>(Code::kResourceExhausted);
constexpr int kInvalidArgument = static_cast<int>(Code::kInvalidArgument);
constexpr int kUnimplemented = static_cast<int>(Code::kUnimplemented);
constexpr int kDeadlineExceeded = static_cast<int>(Code::kDeadlineExceeded);

// A server with a few methods of service "test", and a raw peer.
class ServerTest : public testing::Test {
 protected:
  void SetUp() override { Begin({}); }

  void Begin(ServerOptions options) {
    thread_.Run([&] {
      server_ = std::make_unique<Server>(thread_.reactor(), *pool_, options);
      server_->Register("test", "echo", [](Call call, Responder responder) {
        std::move(responder).ReplyBytes(std::move(call.payload));
      });
      server_->Register("test", "fail", [](Call call, Responder responder) {
        std::move(responder).Fail(Error(Code::kNotFound, call.payload));
      });
      server_->Register("test", "drop", [](const Call&, const Responder&) {});
      server_->Register("test", "park", [this](Call call, Responder responder) {
        responder.OnAbandoned([this] { ++abandoned_; });
        parked_.Lock()->emplace_back(std::move(call), std::move(responder));
        ++calls_parked_;
      });
      server_->Register("test", "big", [](Call call, Responder responder) {
        std::move(responder).ReplyBytes(std::string(std::stoul(call.payload), 'b'));
      });
      server_->Register(
          "test", "unary",
          Unary<::ttrpc::KeyValue, ::ttrpc::KeyValue>(
              [](const Call&, const ::ttrpc::KeyValue& pair) -> Result<::ttrpc::KeyValue> {
                if (pair.key().empty()) return Error(Code::kOutOfRange, "no key");
                return pair;
              }));
    });
    peer_ = Connect();
  }

  RawPeer Connect() {
    auto [ours, theirs] = SocketPair();
    thread_.Run([&, fd = std::make_shared<UniqueFd>(std::move(ours))] {
      const auto served = server_->Serve(
          std::move(*fd), [this](const std::optional<Error>& why) { closed_.set_value(why); });
      EXPECT_TRUE(served.has_value());
    });
    return RawPeer(std::move(theirs));
  }

  void TearDown() override {
    peer_.Close();
    thread_.Run([&] { server_.reset(); });
    parked_.Lock()->clear();
    pool_.reset();
  }

  ::ttrpc::Response Ask(const std::string& frame) {
    peer_.Write(frame);
    const auto received = peer_.Read();
    EXPECT_TRUE(received.has_value());
    return received ? received->response : ::ttrpc::Response();
  }

  void ExpectAlive(std::uint32_t stream_id = 1001) {
    peer_.Write(RawPeer::RequestFrame(stream_id, "test", "echo", "alive"));
    const auto received = peer_.Read();
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(received->header.stream_id, stream_id);
    EXPECT_EQ(received->header.type, kResponseFrame);
    EXPECT_EQ(received->response.payload(), "alive");
  }

  std::optional<Error> Closed() {
    auto closed = closed_.get_future();
    EXPECT_EQ(closed.wait_for(seconds(20)), std::future_status::ready);
    return closed.get();
  }

  void WaitFor(const std::function<bool()>& condition) {
    for (int i = 0; i < 20'000 && !condition(); ++i)
      std::this_thread::sleep_for(milliseconds(1));
    EXPECT_TRUE(condition());
  }

  ReactorThread thread_;
  std::unique_ptr<WorkerPool> pool_ = std::make_unique<WorkerPool>(4);
  std::unique_ptr<Server> server_;
  std::promise<std::optional<Error>> closed_;
  std::atomic<int> abandoned_ = 0;
  std::atomic<int> calls_parked_ = 0;
  Synced<std::vector<std::pair<Call, Responder>>> parked_;
  RawPeer peer_;
};

TEST_F(ServerTest, AnswersOnTheStreamOfTheRequest) {
  const auto response = Ask(RawPeer::RequestFrame(7, "test", "echo", "hello"));
  EXPECT_FALSE(response.has_status());
  EXPECT_EQ(response.payload(), "hello");
}

TEST_F(ServerTest, AnErrorIsAStatusWithItsText) {
  const auto response = Ask(RawPeer::RequestFrame(1, "test", "fail", "no such thing"));
  EXPECT_EQ(response.status().code(), static_cast<int>(Code::kNotFound));
  EXPECT_EQ(response.status().message(), "no such thing");
}

TEST_F(ServerTest, StatusTextIsMadeUtf8AndCut) {
  EXPECT_EQ(Ask(RawPeer::RequestFrame(1, "test", "fail", "a\xff\xc3\xa9\xed\xa0\x80\xf0\x9f"))
                .status()
                .message(),
            "a?\xc3\xa9?????");
  const std::string long_text(1 << 20, 'x');
  EXPECT_EQ(Ask(RawPeer::RequestFrame(3, "test", "fail", long_text)).status().message().size(),
            65536U);
}

TEST_F(ServerTest, UnknownServiceAndMethodReadAsFromGo) {
  auto response = Ask(RawPeer::RequestFrame(1, "nobody", "echo", ""));
  EXPECT_EQ(response.status().code(), kUnimplemented);
  EXPECT_EQ(response.status().message(), "service nobody");
  response = Ask(RawPeer::RequestFrame(3, "test", "nothing", ""));
  EXPECT_EQ(response.status().code(), kUnimplemented);
  EXPECT_EQ(response.status().message(), "method nothing");
}

TEST_F(ServerTest, ADroppedResponderAnswersInternal) {
  const auto response = Ask(RawPeer::RequestFrame(1, "test", "drop", ""));
  EXPECT_EQ(response.status().code(), static_cast<int>(Code::kInternal));
}

TEST_F(ServerTest, UnaryParsesAndAnswers) {
  ::ttrpc::KeyValue pair;
  pair.set_key("k");
  EXPECT_EQ(Ask(RawPeer::RequestFrame(1, "test", "unary", pair.SerializeAsString())).payload(),
            pair.SerializeAsString());
  EXPECT_EQ(Ask(RawPeer::RequestFrame(3, "test", "unary", "")).status().code(),
            static_cast<int>(Code::kOutOfRange));
  EXPECT_EQ(Ask(RawPeer::RequestFrame(5, "test", "unary", "\x0a\xff")).status().code(),
            kInvalidArgument);
}

TEST_F(ServerTest, EvenReusedAndFallingIdsAreRefusedAsByGo) {
  const std::string must_be_odd = "StreamID must be odd for client initiated streams";
  const std::string must_rise = "StreamID cannot be re-used and must increment";
  EXPECT_EQ(Ask(RawPeer::RequestFrame(2, "test", "echo", "")).status().message(), must_be_odd);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(0, "test", "echo", "")).status().message(), must_be_odd);
  EXPECT_FALSE(Ask(RawPeer::RequestFrame(5, "test", "echo", "")).has_status());
  EXPECT_EQ(Ask(RawPeer::RequestFrame(5, "test", "echo", "")).status().message(), must_rise);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(3, "test", "echo", "")).status().message(), must_rise);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(1, "test", "echo", "")).status().code(), kInvalidArgument);
  ExpectAlive();
}

TEST_F(ServerTest, MalformedEnvelopesAreInvalidArguments) {
  EXPECT_EQ(Ask(RawPeer::Frame(1, kRequestFrame, "\xff\xff\xff")).status().code(),
            kInvalidArgument);
  EXPECT_EQ(
      Ask(RawPeer::Frame(3, kRequestFrame, std::string("\x0a\x02\xff\xfe", 4))).status().code(),
      kInvalidArgument);  // A service name that is not UTF-8.
  EXPECT_EQ(Ask(RawPeer::Frame(5, kRequestFrame, "")).status().message(), "service ");
  ExpectAlive();
}

TEST_F(ServerTest, OtherFrameTypesAreIgnored) {
  peer_.Write(RawPeer::Frame(1, kDataFrame, "data"));
  peer_.Write(RawPeer::Frame(2, kDataFrame, ""));
  peer_.Write(RawPeer::Frame(3, kResponseFrame, "\xff"));
  peer_.Write(RawPeer::Frame(5, 200, "future"));
  ExpectAlive(1);
}

TEST_F(ServerTest, AnOversizedFrameIsAnsweredAndTheConnectionLives) {
  const auto response = Ask(RawPeer::Frame(1, kRequestFrame, std::string(kMaxDataBytes + 1, 'x')));
  EXPECT_EQ(response.status().code(), kResourceExhausted);
  EXPECT_EQ(response.status().message(),
            "message length 4194305 exceed maximum message size of 4194304");
  ExpectAlive(1);
}

TEST_F(ServerTest, TheLargestFrameIsServed) {
  const std::string bare = RawPeer::RequestFrame(1, "test", "echo", std::string(4'000'000, 'x'));
  const std::size_t fill = kMaxDataBytes + kHeaderBytes - bare.size();
  const std::string frame =
      RawPeer::RequestFrame(1, "test", "echo", std::string(4'000'000 + fill, 'x'));
  ASSERT_EQ(frame.size(), kMaxDataBytes + kHeaderBytes);
  EXPECT_EQ(Ask(frame).payload().size(), 4'000'000 + fill);
}

TEST_F(ServerTest, AReplyBeyondTheLimitTurnsIntoAStatus) {
  EXPECT_EQ(Ask(RawPeer::RequestFrame(1, "test", "big", "4194304")).status().code(),
            kResourceExhausted);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(3, "test", "big", "4194000")).payload().size(), 4194000U);
}

TEST_F(ServerTest, BytesOneByOne) {
  for (const char c : RawPeer::RequestFrame(1, "test", "echo", "slow"))
    peer_.Write({&c, 1});
  EXPECT_EQ(peer_.Read()->response.payload(), "slow");
}

TEST_F(ServerTest, AParkedCallHoldsUpNoOther) {
  for (std::uint32_t id = 1; id < 200; id += 2)
    peer_.Write(RawPeer::RequestFrame(id, "test", "park", ""));
  WaitFor([&] { return calls_parked_ == 100; });
  ExpectAlive();
  auto parked = std::move(*parked_.Lock());
  for (auto& [call, responder] : parked) {
    EXPECT_TRUE(responder.wanted());
    EXPECT_FALSE(call.deadline.has_value());
    std::move(responder).ReplyBytes("done");
  }
  std::set<std::uint32_t> ids;
  for (int i = 0; i < 100; ++i)
    ids.insert(peer_.Read()->header.stream_id);
  EXPECT_EQ(ids.size(), 100U);
  EXPECT_EQ(abandoned_, 0);
}

TEST_F(ServerTest, TheDeadlineAnswersAndFreesTheCall) {
  const auto begin = std::chrono::steady_clock::now();
  const auto response = Ask(RawPeer::RequestFrame(1, "test", "park", "", 50'000'000));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(50));
  EXPECT_EQ(response.status().code(), kDeadlineExceeded);
  EXPECT_EQ(response.status().message(), "context deadline exceeded");
  EXPECT_EQ(abandoned_, 1);
  auto parked = std::move(*parked_.Lock());
  ASSERT_EQ(parked.size(), 1U);
  EXPECT_TRUE(parked[0].first.deadline.has_value());
  EXPECT_FALSE(parked[0].second.wanted());
  std::move(parked[0].second).ReplyBytes("too late");
  ExpectAlive();
}

TEST_F(ServerTest, DeadlinesAreEachTheirOwn) {
  peer_.Write(RawPeer::RequestFrame(1, "test", "park", "", 80'000'000));
  peer_.Write(RawPeer::RequestFrame(3, "test", "park", "", 40'000'000));
  peer_.Write(RawPeer::RequestFrame(5, "test", "park", "", 60'000'000));
  std::vector<std::uint32_t> order;
  for (int i = 0; i < 3; ++i)
    order.push_back(peer_.Read()->header.stream_id);
  EXPECT_EQ(order, (std::vector<std::uint32_t>{3, 5, 1}));
}

TEST_F(ServerTest, ExtremeTimeouts) {
  EXPECT_EQ(Ask(RawPeer::RequestFrame(1, "test", "park", "", -1)).status().code(),
            kDeadlineExceeded);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(3, "test", "park", "", INT64_MIN)).status().code(),
            kDeadlineExceeded);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(5, "test", "echo", "x", INT64_MAX)).payload(), "x");
  peer_.Write(RawPeer::RequestFrame(7, "test", "park", "", INT64_MAX));
  ExpectAlive();
}

TEST_F(ServerTest, MetadataKeysAreLowered) {
  ::ttrpc::Request request;
  request.set_service("test");
  request.set_method("park");
  for (const auto& [key, value] : Metadata{{"Upper-KEY", "1"}, {"b", "2"}, {"b", "3"}}) {
    auto* pair = request.add_metadata();
    pair->set_key(key);
    pair->set_value(value);
  }
  peer_.Write(RawPeer::Frame(1, kRequestFrame, request.SerializeAsString()));
  WaitFor([&] { return calls_parked_ == 1; });
  EXPECT_EQ((*parked_.Lock())[0].first.metadata,
            (Metadata{{"upper-key", "1"}, {"b", "2"}, {"b", "3"}}));
}

TEST_F(ServerTest, EndOfStreamBetweenFramesIsNoErrorAndFreesWaiters) {
  peer_.Write(RawPeer::RequestFrame(1, "test", "park", ""));
  peer_.Write(RawPeer::RequestFrame(3, "test", "park", "", 3'600'000'000'000));
  WaitFor([&] { return calls_parked_ == 2; });
  peer_.Close();
  EXPECT_FALSE(Closed().has_value());
  EXPECT_EQ(abandoned_, 2);
  auto parked = std::move(*parked_.Lock());
  for (auto& [call, responder] : parked) {
    EXPECT_FALSE(responder.wanted());
    bool ran = false;
    responder.OnAbandoned([&] { ran = true; });
    EXPECT_TRUE(ran);
    std::move(responder).ReplyBytes("nobody reads this");
  }
}

TEST_F(ServerTest, EndOfStreamInsideAFrameIsAnError) {
  peer_.Write(RawPeer::RequestFrame(1, "test", "echo", "hello").substr(0, 13));
  peer_.Close();
  const auto why = Closed();
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->code(), Code::kDataLoss);
}

TEST_F(ServerTest, GarbageEndsTheConnectionOnly) {
  peer_.Write("GET / HTTP/1.1\r\n\r\n");
  const auto why = Closed();
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->code(), Code::kInvalidArgument);
  EXPECT_TRUE(peer_.AtEnd());
  closed_ = {};
  peer_ = Connect();
  ExpectAlive();
}

TEST_F(ServerTest, CloseEndsConnectionsWithAReason) {
  peer_.Write(RawPeer::RequestFrame(1, "test", "park", ""));
  WaitFor([&] { return calls_parked_ == 1; });
  thread_.Run([&] { server_->Close(); });
  EXPECT_EQ(Closed()->code(), Code::kCancelled);
  EXPECT_EQ(abandoned_, 1);
  EXPECT_TRUE(peer_.AtEnd());
}

TEST_F(ServerTest, AnAnswerAfterTheServersEndIsHarmless) {
  peer_.Write(RawPeer::RequestFrame(1, "test", "park", ""));
  WaitFor([&] { return calls_parked_ == 1; });
  thread_.Run([&] { server_.reset(); });
  auto parked = std::move(*parked_.Lock());
  std::move(parked[0].second).ReplyBytes("late");
}

TEST_F(ServerTest, ServeRefusesWhatCannotBePolled) {
  thread_.Run([&] {
    EXPECT_FALSE(server_->Serve(UniqueFd()).has_value());
    auto file = OpenFile("/proc/self/exe", O_RDONLY);
    EXPECT_FALSE(server_->Serve(*std::move(file)).has_value());
  });
}

class SmallServerTest : public ServerTest {
 protected:
  void SetUp() override { Begin({.max_calls_in_flight = 3, .max_unsent_bytes = 8U << 20U}); }
};

TEST_F(SmallServerTest, CallsInFlightAreBounded) {
  for (std::uint32_t id = 1; id <= 7; id += 2)
    peer_.Write(RawPeer::RequestFrame(id, "test", "park", ""));
  const auto received = peer_.Read();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->header.stream_id, 7U);
  EXPECT_EQ(received->response.status().code(), kResourceExhausted);
  WaitFor([&] { return calls_parked_ == 3; });
  parked_.Lock()->clear();  // Each answers Internal and makes room.
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(peer_.Read().has_value());
  ExpectAlive();
}

TEST_F(SmallServerTest, AnExpiredCallCountsUntilItsHandlerLetsGo) {
  for (std::uint32_t id = 1; id <= 5; id += 2)
    peer_.Write(RawPeer::RequestFrame(id, "test", "park", "", 20'000'000));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(peer_.Read()->response.status().code(), kDeadlineExceeded);
  EXPECT_EQ(Ask(RawPeer::RequestFrame(7, "test", "echo", "")).status().code(), kResourceExhausted);
  parked_.Lock()->clear();
  ExpectAlive();
}

TEST_F(SmallServerTest, APeerThatDoesNotReadIsCutOff) {
  // The answers to three requests wait; what does not fit in 8 MiB and a socket buffer is too much.
  std::thread writer([&] {
    for (std::uint32_t id = 1; id < 40; id += 2)
      peer_.Write(RawPeer::RequestFrame(id, "test", "big", "4000000"));
  });
  const auto why = Closed();
  writer.join();
  ASSERT_TRUE(why.has_value());
  EXPECT_EQ(why->code(), Code::kResourceExhausted);
}

TEST_F(SmallServerTest, ASlowReaderGetsAllOfItsAnswers) {
  peer_.Write(RawPeer::RequestFrame(1, "test", "big", "4000000"));
  peer_.Write(RawPeer::RequestFrame(3, "test", "big", "4000000"));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(peer_.Read()->response.payload().size(), 4'000'000U);
  EXPECT_EQ(peer_.Read()->response.payload().size(), 4'000'000U);
  ExpectAlive();
}

class ListenTest : public ServerTest {
 protected:
  UniqueFd Listener() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    // Autobind: an abstract name of the kernel's choice.
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::listen(fd.get(), 16), 0);
    socklen_t size = sizeof(address_);
    EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address_), &size), 0);
    size_ = size;
    return fd;
  }

  RawPeer Dial() {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address_), size_), 0);
    return RawPeer(std::move(fd));
  }

  void Listen(bool own_uid_only) {
    thread_.Run([&] { EXPECT_TRUE(server_->Listen(Listener(), own_uid_only).has_value()); });
  }

  sockaddr_un address_ = {};
  socklen_t size_ = 0;
};

TEST_F(ListenTest, AcceptsManyAndOwnUser) {
  Listen(/*own_uid_only=*/true);
  std::vector<RawPeer> peers;
  for (int i = 0; i < 10; ++i)
    peers.push_back(Dial());
  for (RawPeer& peer : peers) {
    peer.Write(RawPeer::RequestFrame(1, "test", "echo", "x"));
    EXPECT_EQ(peer.Read()->response.payload(), "x");
  }
}

TEST_F(ListenTest, AnotherUserIsCutOff) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  Listen(/*own_uid_only=*/true);
  std::thread([&] {
    // The system call changes this thread only; the C library's would change all.
    ASSERT_EQ(::syscall(SYS_setresuid, -1, 65534, -1), 0);
    RawPeer peer = Dial();
    peer.Write(RawPeer::RequestFrame(1, "test", "echo", "x"));
    EXPECT_TRUE(peer.AtEnd());
  }).join();
  RawPeer peer = Dial();
  peer.Write(RawPeer::RequestFrame(1, "test", "echo", "x"));
  EXPECT_EQ(peer.Read()->response.payload(), "x");
}

// UBSan tells a bad object by opening a pipe, so without descriptors it takes each one for bad.
#ifndef __SANITIZE_ADDRESS__
TEST_F(ListenTest, OutOfDescriptorsItRestsAndRecovers) {
  Listen(/*own_uid_only=*/false);
  RawPeer first = Dial();
  rlimit old = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  UniqueFd next(::dup(0));
  const rlimit low = {static_cast<rlim_t>(next.get()) + 1, old.rlim_max};
  RawPeer second = Dial();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::this_thread::sleep_for(milliseconds(20));
  timespec before = {};
  timespec after = {};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  std::this_thread::sleep_for(milliseconds(300));
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  const double used = static_cast<double>(after.tv_sec - before.tv_sec) +
                      static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
  EXPECT_LT(used, 0.15);
  for (RawPeer* peer : {&first, &second}) {
    peer->Write(RawPeer::RequestFrame(1, "test", "echo", "x"));
    EXPECT_EQ(peer->Read()->response.payload(), "x");
  }
}
#endif

}  // namespace
}  // namespace kata_cc::ttrpc
