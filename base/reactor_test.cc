// SPDX-License-Identifier: Apache-2.0
#include "base/reactor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "base/process.h"

namespace kata_cc {
namespace {

// A parked reply: Wait holds one of these, not a thread.
struct Responder {
  std::function<void(int)> reply;
};

TEST(ReactorTest, ChildExitAnswersAParkedWait) {
  auto created = Reactor::Create();
  ASSERT_TRUE(created.has_value());
  std::unique_ptr<Reactor> reactor(*created);
  auto child = ChildProcess::Spawn({"sh", "-c", "exit 3"});
  ASSERT_TRUE(child.has_value());
  int answered = -1;
  Responder parked{[&](int status) { answered = status; }};
  const int pidfd = child->pidfd();
  ASSERT_TRUE(reactor
                  ->Watch(pidfd, EPOLLIN,
                          [&](std::uint32_t) {
                            reactor->Unwatch(pidfd);
                            parked.reply(*child->Wait());
                            reactor->Stop();
                          })
                  .has_value());
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_EQ(answered, 3);
}

TEST(ReactorTest, WorkersPostBackToTheReactorThread) {
  std::unique_ptr<Reactor> reactor(*Reactor::Create());
  int sum = 0;  // Touched on the reactor thread only.
  std::vector<std::jthread> workers;
  workers.reserve(8);
  for (int i = 0; i < 8; ++i) {
    workers.emplace_back([&] {
      for (int n = 0; n < 100; ++n) {
        reactor->Post([&] {
          if (++sum == 800) reactor->Stop();
        });
      }
    });
  }
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_EQ(sum, 800);
}

TEST(ReactorTest, SignalsArriveAsReads) {
  std::unique_ptr<Reactor> reactor(*Reactor::Create());
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  ASSERT_EQ(pthread_sigmask(SIG_BLOCK, &mask, nullptr), 0);
  const UniqueFd signals(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  bool seen = false;
  ASSERT_TRUE(reactor
                  ->Watch(signals.get(), EPOLLIN,
                          [&](std::uint32_t) {
                            seen = true;
                            reactor->Stop();
                          })
                  .has_value());
  ASSERT_EQ(::raise(SIGUSR1), 0);
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_TRUE(seen);
}

TEST(ReactorTest, TimersRunInOrderAndACancelledOneDoesNot) {
  using std::chrono::milliseconds;
  std::unique_ptr<Reactor> reactor(*Reactor::Create());
  std::string ran;
  reactor->After(milliseconds(20), [&] {
    ran += "b";
    reactor->Stop();
  });
  reactor->After(milliseconds(1), [&] { ran += "a"; });
  const Reactor::TimerId cancelled = reactor->After(milliseconds(2), [&] { ran += "x"; });
  reactor->Cancel(cancelled);
  reactor->Cancel(cancelled);
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_EQ(ran, "ab");
}

TEST(ReactorTest, AnEventOfAnEarlierOwnerOfTheNumberIsDropped) {
  std::unique_ptr<Reactor> reactor(*Reactor::Create());
  int first[2] = {-1, -1};
  int second[2] = {-1, -1};
  ASSERT_EQ(::pipe2(first, O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(second, O_CLOEXEC), 0);
  const UniqueFd kept[] = {UniqueFd(first[0]), UniqueFd(first[1]), UniqueFd(second[0]),
                           UniqueFd(second[1])};
  // Both are readable in one round. Whichever runs first replaces the watch of the other by one
  // that must not see the event that was meant for the old one.
  int stale = 0;
  bool replaced = false;
  const auto replace = [&](int other) {
    if (std::exchange(replaced, true)) return;
    reactor->Unwatch(other);
    ASSERT_TRUE(reactor->Watch(other, EPOLLOUT, [&](std::uint32_t) { ++stale; }).has_value());
    reactor->After(std::chrono::milliseconds(10), [&] { reactor->Stop(); });
  };
  for (int i = 0; i < 2; ++i) {
    const int own = i == 0 ? first[0] : second[0];
    const int other = i == 0 ? second[0] : first[0];
    ASSERT_TRUE(reactor
                    ->Watch(own, EPOLLIN,
                            [&, own, other](std::uint32_t) {
                              char c = 0;
                              ASSERT_EQ(::read(own, &c, 1), 1);
                              replace(other);
                            })
                    .has_value());
  }
  ASSERT_EQ(::write(first[1], "x", 1), 1);
  ASSERT_EQ(::write(second[1], "x", 1), 1);
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_TRUE(replaced);
  EXPECT_EQ(stale, 0);
}

TEST(ReactorTest, ATaskMayPostAndWatchersMayUnwatchThemselves) {
  std::unique_ptr<Reactor> reactor(*Reactor::Create());
  EXPECT_FALSE(Reactor::OnReactorThread());
  int depth = 0;
  std::function<void()> again = [&] {
    EXPECT_TRUE(Reactor::OnReactorThread());
    if (++depth == 100) {
      reactor->Stop();
    } else {
      reactor->Post(again);
    }
  };
  reactor->Post(again);
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_EQ(depth, 100);
  EXPECT_FALSE(Reactor::OnReactorThread());
}

TEST(ReactorTest, TheLongestDelayIsNoOverflow) {
  std::unique_ptr<Reactor> reactor(*Reactor::Create());
  bool ran = false;
  reactor->After(std::chrono::nanoseconds::max(), [&] { ran = true; });
  reactor->After(std::chrono::milliseconds(5), [&] { reactor->Stop(); });
  ASSERT_TRUE(reactor->Run().has_value());
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace kata_cc
