// SPDX-License-Identifier: Apache-2.0
#include "agent/process/process.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>
#include <thread>

#include "agent/process/reaper.h"

extern "C" {
#include <sys/pidfd.h>  // glibc 2.36 forgot the extern "C".
}

namespace kata_cc::agent {
namespace {

using namespace std::chrono_literals;

// A reactor on a thread of its own; the test's thread is the one that orphans fall to.
class ProcessTest : public testing::Test {
 protected:
  ProcessTest() : thread_([this] { EXPECT_TRUE(reactor_->Run()); }) {}
  ~ProcessTest() override {
    reactor_->Post([this] { reactor_->Stop(); });
    thread_.join();
  }

  std::shared_ptr<Process> Spawn(const char* script, Process::Events events = {}) {
    auto pipes = MakePipes();
    EXPECT_TRUE(pipes);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(pipes->second.input.get(), 0);
      ::dup2(pipes->second.output.get(), 1);
      ::dup2(pipes->second.error.get(), 2);
      ::execl("/bin/sh", "sh", "-c", script, nullptr);
      ::_exit(127);
    }
    return Process::Create(*reactor_, pid, UniqueFd(::pidfd_open(pid, 0)), std::move(pipes->first),
                           std::move(events));
  }

  std::future<Result<grpc::WaitProcessResponse>> Wait(Process& process) {
    auto promise = std::make_shared<std::promise<Result<grpc::WaitProcessResponse>>>();
    Reply<grpc::WaitProcessResponse> reply;
    reply.done = [promise](Result<grpc::WaitProcessResponse> r) {
      promise->set_value(std::move(r));
    };
    process.Wait(reply);
    return promise->get_future();
  }

  std::unique_ptr<Reactor> reactor_{*Reactor::Create()};
  std::thread thread_;
};

TEST_F(ProcessTest, EachWaiterHearsTheStatus) {
  std::promise<pid_t> exited;
  const auto process = Spawn("read go; exit 5", {[&](pid_t pid) { exited.set_value(pid); }, {}});
  auto first = Wait(*process);
  auto second = Wait(*process);
  EXPECT_FALSE(process->WaitForExit(50ms));
  process->CloseInput();
  EXPECT_EQ(first.get()->status(), 5);
  EXPECT_EQ(second.get()->status(), 5);
  EXPECT_EQ(exited.get_future().get(), process->pid());
  EXPECT_TRUE(process->WaitForExit(0ms));
  EXPECT_EQ(Wait(*process).get()->status(), 5);
}

TEST_F(ProcessTest, ASignalIs128PlusItsNumberAndALateOneIsNoError) {
  const auto process = Spawn("sleep 1000");
  ASSERT_TRUE(process->Signal(SIGTERM));
  EXPECT_EQ(Wait(*process).get()->status(), 143);
  EXPECT_TRUE(process->Signal(SIGTERM));
  EXPECT_EQ(process->Signal(0).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(process->Signal(65).error().code(), Code::kInvalidArgument);
}

TEST_F(ProcessTest, ItIsDoneWhenHeardOfAndReadToTheEnd) {
  std::promise<void> done;
  auto is_done = done.get_future();
  const auto process = Spawn("echo x", {{}, [&] { done.set_value(); }});
  EXPECT_EQ(Wait(*process).get()->status(), 0);
  EXPECT_EQ(is_done.wait_for(50ms), std::future_status::timeout);
  for (const OutputKind kind : {OutputKind::kStdout, OutputKind::kStdout, OutputKind::kStderr}) {
    std::promise<void> answered;
    Reply<grpc::ReadStreamResponse> reply;
    reply.done = [&](const Result<grpc::ReadStreamResponse>&) { answered.set_value(); };
    process->Read(kind, 100, reply);
    answered.get_future().get();
  }
  EXPECT_EQ(is_done.wait_for(10s), std::future_status::ready);
}

TEST_F(ProcessTest, AWaiterOfADroppedProcessIsAnswered) {
  auto process = Spawn("sleep 1000");
  auto waiting = Wait(*process);
  const pid_t pid = process->pid();
  process.reset();
  EXPECT_EQ(waiting.get().error().code(), Code::kAborted);
  ::kill(pid, SIGKILL);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST_F(ProcessTest, WithoutATerminalThereIsNoSize) {
  const auto process = Spawn("exit 0");
  EXPECT_EQ(process->Resize(1, 1).error().code(), Code::kFailedPrecondition);
  EXPECT_EQ(Wait(*process).get()->status(), 0);
}

class ReaperTest : public ProcessTest {
 protected:
  void SetUp() override {
    std::promise<void> made;
    reactor_->Post([&] {
      auto reaper = Reaper::Create(*reactor_);
      EXPECT_TRUE(reaper);
      reaper_ = *std::move(reaper);
      made.set_value();
    });
    made.get_future().get();
  }
  void TearDown() override {
    std::promise<void> gone;
    reactor_->Post([&] {
      reaper_.reset();
      gone.set_value();
    });
    gone.get_future().get();
  }

  // A process whose parent ends at once: it falls to this one.
  static pid_t MakeOrphan(const char* script) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    const pid_t parent = ::fork();
    if (parent == 0) {
      const pid_t orphan = ::fork();
      if (orphan == 0) {
        ::execl("/bin/sh", "sh", "-c", script, nullptr);
        ::_exit(127);
      }
      if (::write(ends[1], &orphan, sizeof(orphan)) < 0) ::_exit(1);
      ::_exit(0);
    }
    pid_t orphan = 0;
    EXPECT_EQ(::read(ends[0], &orphan, sizeof(orphan)), static_cast<ssize_t>(sizeof(orphan)));
    ::close(ends[0]);
    ::close(ends[1]);
    return orphan;
  }

  static bool IsGone(pid_t pid) {
    for (int i = 0; i < 1000; ++i) {
      if (::kill(pid, 0) != 0) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }

  std::unique_ptr<Reaper> reaper_;
};

TEST_F(ReaperTest, AnOrphanThatNobodyOwnsIsCollected) {
  EXPECT_TRUE(IsGone(MakeOrphan("exit 0")));
  EXPECT_TRUE(IsGone(MakeOrphan("sleep 0.1")));
}

TEST_F(ReaperTest, AProcessThatIsGivenUpIsCollected) {
  pid_t pid = 0;
  {
    Reaper::Hold hold(*reaper_);
    pid = MakeOrphan("sleep 0.2");
    hold.Adopt(pid);
    auto pipes = MakePipes();
    ASSERT_TRUE(pipes);
    static_cast<void>(Process::Create(*reactor_, pid, UniqueFd(::pidfd_open(pid, 0)),
                                      std::move(pipes->first),
                                      {[this](pid_t gone) { reaper_->Forget(gone); }, {}}));
  }
  EXPECT_TRUE(IsGone(pid));
}

TEST_F(ReaperTest, AnAdoptedOneIsLeftToItsOwner) {
  pid_t pid = 0;
  {
    Reaper::Hold hold(*reaper_);
    pid = MakeOrphan("exit 6");
    std::this_thread::sleep_for(50ms);
    hold.Adopt(pid);
  }
  EXPECT_TRUE(IsGone(MakeOrphan("exit 0"))) << "another one does not wait for it";
  siginfo_t info = {};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(info.si_status, 6);
  reaper_->Forget(pid);
  EXPECT_TRUE(IsGone(pid));
}

}  // namespace
}  // namespace kata_cc::agent
