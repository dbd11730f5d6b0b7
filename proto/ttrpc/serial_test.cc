// SPDX-License-Identifier: Apache-2.0
// The server on a stream without an end. A pseudo terminal stands for a virtio-serial port: its
// master is a character device that reports a hang-up for as long as nobody has the other side
// open, and that goes on when someone opens it again.
#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <time.h>

#include <atomic>

#include "proto/ttrpc/server.h"
#include "proto/ttrpc/test_peer.h"

namespace kata_cc::ttrpc {
namespace {

using std::chrono::milliseconds;

class SerialTest : public testing::Test {
 protected:
  void SetUp() override {
    int master = -1;
    int slave = -1;
    char name[128] = {};
    ASSERT_EQ(::openpty(&master, &slave, name, nullptr, nullptr), 0);
    UniqueFd ours(master);
    name_ = name;
    MakeRaw(slave);
    UniqueFd(slave).Reset();  // From now on the line is hung up.
    thread_.Run([&] {
      server_ = std::make_unique<Server>(thread_.reactor(), *pool_);
      server_->Register("test", "echo", [](Call call, Responder responder) {
        std::move(responder).ReplyBytes(std::move(call.payload));
      });
      server_->Register("test", "park", [this](const Call&, Responder responder) {
        responder.OnAbandoned([this] { ++abandoned_; });
        parked_.Lock()->push_back(std::move(responder));
        ++calls_parked_;
      });
      EXPECT_TRUE(
          server_->Serve(std::move(ours), [this](const std::optional<Error>&) { ended_ = true; })
              .has_value());
    });
  }

  void TearDown() override {
    thread_.Run([&] { server_.reset(); });
    parked_.Lock()->clear();
    pool_.reset();
  }

  static void MakeRaw(int fd) {
    termios settings = {};
    ASSERT_EQ(::tcgetattr(fd, &settings), 0);
    ::cfmakeraw(&settings);
    ASSERT_EQ(::tcsetattr(fd, TCSANOW, &settings), 0);
  }

  RawPeer Dial() {
    UniqueFd fd(::open(name_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_TRUE(fd.valid());
    MakeRaw(fd.get());
    return RawPeer(std::move(fd));
  }

  static void ExpectEcho(RawPeer& peer, std::uint32_t stream_id, const std::string& payload) {
    peer.Write(RawPeer::RequestFrame(stream_id, "test", "echo", payload));
    const auto received = peer.Read();
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(received->header.stream_id, stream_id);
    EXPECT_EQ(received->response.payload(), payload);
  }

  static void WaitFor(const std::function<bool()>& condition) {
    for (int i = 0; i < 20'000 && !condition(); ++i)
      std::this_thread::sleep_for(milliseconds(1));
    EXPECT_TRUE(condition());
  }

  ReactorThread thread_;
  std::unique_ptr<WorkerPool> pool_ = std::make_unique<WorkerPool>(2);
  std::unique_ptr<Server> server_;
  std::string name_;
  std::atomic<bool> ended_ = false;
  std::atomic<int> abandoned_ = 0;
  std::atomic<int> calls_parked_ = 0;
  Synced<std::vector<Responder>> parked_;
};

TEST_F(SerialTest, AHungUpLineCostsNoTimeAndEndsNothing) {
  const auto cpu_ms = [] {
    timespec now = {};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
  };
  const auto before = cpu_ms();
  std::this_thread::sleep_for(milliseconds(300));
  EXPECT_LT(cpu_ms() - before, 100);
  EXPECT_FALSE(ended_);
  RawPeer peer = Dial();
  ExpectEcho(peer, 1, "hello");
}

TEST_F(SerialTest, ANewPeerBeginsAnewAndTheOldOnesCallsAreFreed) {
  RawPeer first = Dial();
  ExpectEcho(first, 41, "one");
  first.Write(RawPeer::RequestFrame(43, "test", "park", ""));
  WaitFor([&] { return calls_parked_ == 1; });
  first.Close();
  WaitFor([&] { return abandoned_ == 1; });
  RawPeer second = Dial();
  auto parked = std::move(*parked_.Lock());
  std::move(parked[0]).ReplyBytes("of the old peer's call");
  ExpectEcho(second, 1, "two");
  EXPECT_FALSE(ended_);
}

TEST_F(SerialTest, AFrameLeftUnfinishedAtTheHangUpIsForgotten) {
  RawPeer first = Dial();
  first.Write(RawPeer::RequestFrame(1, "test", "echo", std::string(1000, 'x')).substr(0, 500));
  std::this_thread::sleep_for(milliseconds(50));
  first.Close();
  std::this_thread::sleep_for(milliseconds(100));
  RawPeer second = Dial();
  ExpectEcho(second, 1, "two");
}

TEST_F(SerialTest, AStreamIdOfOneIsANewPeerEvenWithoutAHangUp) {
  RawPeer peer = Dial();
  ExpectEcho(peer, 9, "old");
  peer.Write(RawPeer::RequestFrame(11, "test", "park", ""));
  WaitFor([&] { return calls_parked_ == 1; });
  ExpectEcho(peer, 1, "new");
  EXPECT_EQ(abandoned_, 1);
}

TEST_F(SerialTest, AfterGarbageASilenceBeginsAnew) {
  RawPeer peer = Dial();
  peer.Write("login: root\r\n");
  std::this_thread::sleep_for(milliseconds(10));
  peer.Write(std::string(2000, '\x7f'));
  std::this_thread::sleep_for(milliseconds(400));
  ExpectEcho(peer, 5, "again");
  EXPECT_FALSE(ended_);
}

TEST_F(SerialTest, LargeMessagesPassThroughSmallBuffers) {
  RawPeer peer = Dial();
  const std::string payload(500'000, 'p');
  std::thread writer([&] { peer.Write(RawPeer::RequestFrame(1, "test", "echo", payload)); });
  const auto received = peer.Read();
  writer.join();
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->response.payload(), payload);
}

}  // namespace
}  // namespace kata_cc::ttrpc
