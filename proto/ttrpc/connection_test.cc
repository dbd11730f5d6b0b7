// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "proto/ttrpc/deadlines.h"
#include "proto/ttrpc/test_peer.h"

namespace kata_cc::ttrpc {
namespace {

using std::chrono::milliseconds;

// Sends back what it gets, and notes what happens.
class EchoConnection final : public Connection {
 public:
  EchoConnection(Reactor& reactor, UniqueFd stream, Options options)
      : Connection(reactor, std::move(stream), options) {}

  std::atomic<int> resets = 0;
  std::promise<std::optional<Error>> end;

 private:
  void OnFrame(const FrameParser::Frame& frame) override {
    std::string out(kHeaderBytes, '\0');
    EncodeHeader(frame.header, out.data());
    Send(out + std::string(frame.data), epoch());
  }
  void OnEnd(const std::optional<Error>& why) override { end.set_value(why); }
  void OnReset() override { ++resets; }
};

class ConnectionTest : public testing::Test {
 protected:
  std::shared_ptr<EchoConnection> Connect(Connection::Options options) {
    auto [ours, theirs] = SocketPair();
    peer_ = RawPeer(std::move(theirs));
    auto connection = std::make_shared<EchoConnection>(thread_.reactor(), std::move(ours), options);
    thread_.Run([&] { EXPECT_TRUE(connection->Start().has_value()); });
    return connection;
  }

  void Echo(std::uint32_t stream_id) {
    peer_.Write(RawPeer::Frame(stream_id, kResponseFrame, ""));
    const auto received = peer_.Read();
    ASSERT_TRUE(received.has_value());
    EXPECT_EQ(received->header.stream_id, stream_id);
  }

  ReactorThread thread_;
  RawPeer peer_;
};

TEST_F(ConnectionTest, AFrameThatStallsIsForgottenOnASerialPort) {
  Connection::Options options;
  options.survive_hangup = true;
  options.stall = milliseconds(50);
  const auto connection = Connect(options);
  Echo(1);
  peer_.Write(RawPeer::Frame(3, kResponseFrame, std::string(100, 'x')).substr(0, 40));
  for (int i = 0; i < 5'000 && connection->resets == 0; ++i)
    std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(connection->resets, 1);
  Echo(5);
  thread_.Run([&] { connection->End(std::nullopt); });
}

TEST_F(ConnectionTest, ASlowFrameThatGoesOnIsNotStalled) {
  Connection::Options options;
  options.survive_hangup = true;
  options.stall = milliseconds(100);
  const auto connection = Connect(options);
  const std::string frame = RawPeer::Frame(1, 9, std::string(20, 'x'));
  for (const char c : frame) {
    peer_.Write({&c, 1});
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_EQ(connection->resets, 0);
  thread_.Run([&] { connection->End(std::nullopt); });
}

TEST_F(ConnectionTest, FramesOfAnEpochThatIsOverAreNotSent) {
  const auto connection = Connect({});
  EXPECT_EQ(connection->Send(RawPeer::Frame(1, kResponseFrame, ""), 7), Connection::Sent::kEnded);
  EXPECT_EQ(connection->Send(RawPeer::Frame(3, kResponseFrame, ""), 1), Connection::Sent::kOk);
  EXPECT_EQ(peer_.Read()->header.stream_id, 3U);
  thread_.Run([&] { connection->End(std::nullopt); });
  EXPECT_EQ(connection->Send(RawPeer::Frame(5, kResponseFrame, ""), 1), Connection::Sent::kEnded);
}

TEST_F(ConnectionTest, EndSoonsReasonIsNotHiddenByTheEndItCauses) {
  for (int i = 0; i < 50; ++i) {
    const auto connection = Connect({});
    connection->EndSoon(Error(Code::kAborted, "because"));
    const auto why = connection->end.get_future().get();
    ASSERT_TRUE(why.has_value());
    EXPECT_EQ(why->message(), "because");
  }
}

TEST(DeadlinesTest, HundredsExpireInTheirOrderAndRemovedOnesDoNot) {
  ReactorThread thread;
  std::vector<std::uint64_t> expired;
  std::promise<void> last;
  const auto deadlines = Deadlines::Create(thread.reactor(), [&](std::uint64_t call) {
    expired.push_back(call);
    if (call == 299) last.set_value();
  });
  const Deadline begin = std::chrono::steady_clock::now() + milliseconds(20);
  for (int i = 299; i >= 0; --i)
    deadlines->Add(begin + std::chrono::microseconds(10 * i), static_cast<std::uint64_t>(i));
  for (int i = 1; i < 299; i += 2)
    deadlines->Remove(begin + std::chrono::microseconds(10 * i), static_cast<std::uint64_t>(i));
  last.get_future().get();
  thread.Run([&] { deadlines->Stop(); });
  EXPECT_EQ(expired.size(), 151U);
  EXPECT_TRUE(std::is_sorted(expired.begin(), expired.end()));
}

// Whoever sees a call end early has a clock that runs at another speed, or set the deadline so.
TEST(DeadlinesTest, NothingExpiresEarlyWhateverComesAndGoes) {
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kCalls = 500;
  ReactorThread thread;
  std::vector<Deadline> due(kThreads * kCalls);
  std::vector<Deadline> expired(kThreads * kCalls);
  const auto deadlines = Deadlines::Create(thread.reactor(), [&](std::uint64_t call) {
    expired[call] = std::chrono::steady_clock::now();
  });
  std::vector<std::thread> callers;
  for (std::uint64_t caller = 0; caller < kThreads; ++caller) {
    callers.emplace_back([&, caller] {
      std::mt19937 random(static_cast<std::uint32_t>(caller));
      for (std::uint64_t call = caller; call < due.size(); call += kThreads) {
        // Long ones first and last, so that the timer is set anew both ways.
        due[call] = *DeadlineIn(milliseconds(20 + random() % 300));
        deadlines->Add(due[call], call);
        if (random() % 2 == 0) continue;
        if (random() % 4 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
        deadlines->Remove(due[call], call);
        due[call] = Deadline::max();
      }
    });
  }
  for (std::thread& caller : callers)
    caller.join();
  std::this_thread::sleep_for(milliseconds(400));
  thread.Run([&] { deadlines->Stop(); });
  for (std::size_t call = 0; call < due.size(); ++call) {
    if (due[call] == Deadline::max()) continue;  // Removed; it may have expired just before.
    ASSERT_NE(expired[call], Deadline()) << call;
    EXPECT_GE(expired[call], due[call]) << call;
  }
}

TEST(DeadlinesTest, ADeadlineBeyondUseIsNone) {
  EXPECT_FALSE(DeadlineIn(std::chrono::nanoseconds::max()).has_value());
  const auto past = DeadlineIn(std::chrono::nanoseconds::min());
  ASSERT_TRUE(past.has_value());
  EXPECT_LE(*past, std::chrono::steady_clock::now());
}

}  // namespace
}  // namespace kata_cc::ttrpc
