// SPDX-License-Identifier: Apache-2.0
// Files as the kernel writes them, in a temporary directory.
#include "agent/container/cgroup.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <thread>

#include "agent/container/oom_watch.h"
#include "base/file.h"

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(dir_.data()), nullptr); }
  void TearDown() override { fs::remove_all(dir_); }
  void Put(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFile(dir_ + "/" + name, AsBytes(text)));
  }
  std::string Text(const std::string& name) {
    const auto bytes = ReadFile(dir_ + "/" + name, 1000);
    return bytes ? AsString(*bytes) : "missing";
  }

  std::string dir_ = testing::TempDir() + "cgroup-XXXXXX";
};

TEST_F(CgroupTest, StatisticsAsKataReportsThem) {
  Put("cpu.stat",
      "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 4\nnr_throttled 2\n"
      "throttled_usec 7\n");
  Put("memory.current", "4096\n");
  Put("memory.peak", "8192\n");
  Put("memory.max", "max\n");
  Put("memory.swap.current", "1\n");
  Put("memory.stat", "anon 10\nfile 20\nkernel 30\ninactive_file 5\n");
  Put("memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\n");
  Put("pids.current", "3\n");
  Put("pids.max", "100\n");
  Put("io.stat", "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n254:16 \n");
  Put("hugetlb.2MB.current", "6\n");
  Put("hugetlb.2MB.events", "max 8\n");
  Put("hugetlb.2MB.rsvd.current", "77\n");
  const auto stats = Cgroup(dir_).Stats();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->cpu_stats().cpu_usage().total_usage(), 5'000'000U);
  EXPECT_EQ(stats->cpu_stats().cpu_usage().usage_in_usermode(), 3'000'000U);
  EXPECT_EQ(stats->cpu_stats().throttling_data().throttled_time(), 7000U);
  EXPECT_EQ(stats->memory_stats().usage().usage(), 4096U);
  EXPECT_EQ(stats->memory_stats().usage().max_usage(), 8192U);
  EXPECT_EQ(stats->memory_stats().usage().failcnt(), 9U);
  EXPECT_EQ(stats->memory_stats().usage().limit(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(stats->memory_stats().cache(), 20U);
  EXPECT_EQ(stats->memory_stats().stats().at("inactive_file"), 5U);
  EXPECT_EQ(stats->pids_stats().current(), 3U);
  EXPECT_EQ(stats->pids_stats().limit(), 100U);
  ASSERT_EQ(stats->blkio_stats().io_service_bytes_recursive_size(), 2);
  EXPECT_EQ(stats->blkio_stats().io_service_bytes_recursive(1).op(), "write");
  EXPECT_EQ(stats->blkio_stats().io_service_bytes_recursive(1).value(), 2U);
  EXPECT_EQ(stats->blkio_stats().io_serviced_recursive(0).value(), 3U);
  ASSERT_EQ(stats->hugetlb_stats().size(), 1U);
  EXPECT_EQ(stats->hugetlb_stats().at("2MB").usage(), 6U);
  EXPECT_EQ(stats->hugetlb_stats().at("2MB").failcnt(), 8U);
}

TEST_F(CgroupTest, MissingAndOddFilesAreZeroesAndAMissingGroupIsNotFound) {
  Put("cpu.stat", "garbage\nusage_usec\nusage_usec x\n\n");
  Put("io.stat", "254 rbytes=1\n:\nrbytes=\n");
  Put("pids.max", "max\n");
  const auto stats = Cgroup(dir_).Stats();
  ASSERT_TRUE(stats);
  EXPECT_EQ(stats->cpu_stats().cpu_usage().total_usage(), 0U);
  EXPECT_EQ(stats->pids_stats().limit(), 0U) << "none";
  EXPECT_EQ(Cgroup(dir_ + "/absent").Stats().error().code(), Code::kNotFound);
}

TEST_F(CgroupTest, FreezeThatDoesNotComeIsUndone) {
  Put("cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_EQ(Cgroup(dir_).Freeze(20ms).error().code(), Code::kDeadlineExceeded);
  EXPECT_EQ(Text("cgroup.freeze"), "0");
  Put("cgroup.events", "populated 1\nfrozen 1\n");
  EXPECT_TRUE(Cgroup(dir_).Freeze(20ms));
  EXPECT_EQ(Text("cgroup.freeze"), "1");
}

TEST_F(CgroupTest, EmptyIsWhatTheKernelSays) {
  Put("cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_FALSE(Cgroup(dir_).WaitUntilEmpty(10ms));
  Put("cgroup.events", "populated 0\nfrozen 0\n");
  EXPECT_TRUE(Cgroup(dir_).WaitUntilEmpty(10ms));
  EXPECT_TRUE(Cgroup(dir_ + "/absent").WaitUntilEmpty(0ms));
  EXPECT_TRUE(Cgroup(dir_ + "/absent").Remove());
  EXPECT_TRUE(Cgroup(dir_ + "/absent").Kill());
}

class OomWatchTest : public CgroupTest {
 protected:
  void SetUp() override {
    CgroupTest::SetUp();
    Put("memory.events", "oom_kill 0\n");
    watch_ = *OomWatch::Create(*reactor_);
    watch_->Add("web", Cgroup(dir_));
  }
  void RunFor(std::chrono::milliseconds time) {
    reactor_->After(time, [this] { reactor_->Stop(); });
    ASSERT_TRUE(reactor_->Run());
  }
  Reply<grpc::OOMEvent> Ask() {
    Reply<grpc::OOMEvent> reply;
    reply.done = [this](const Result<grpc::OOMEvent>& r) {
      heard_.push_back(r ? r->container_id() : "error");
    };
    reply.wanted = [this] { return wanted_; };
    return reply;
  }

  std::vector<std::string> heard_;  // Before the watch, whose end answers those who wait.
  bool wanted_ = true;
  std::unique_ptr<Reactor> reactor_{*Reactor::Create()};
  std::unique_ptr<OomWatch> watch_;
};

TEST_F(OomWatchTest, AKillIsToldOnce) {
  watch_->Next(Ask());
  RunFor(10ms);
  EXPECT_TRUE(heard_.empty());
  Put("memory.events", "oom 1\noom_kill 1\n");
  RunFor(10ms);
  EXPECT_EQ(heard_, std::vector<std::string>{"web"});
  watch_->Next(Ask());
  Put("memory.events", "oom 2\noom_kill 1\n");  // Changed, but no kill.
  RunFor(10ms);
  EXPECT_EQ(heard_.size(), 1U);
}

TEST_F(OomWatchTest, AnEventWaitsForOneWhoWantsIt) {
  watch_->Next(Ask());
  wanted_ = false;
  Put("memory.events", "oom_kill 3\n");
  RunFor(10ms);
  EXPECT_TRUE(heard_.empty());
  wanted_ = true;
  watch_->Next(Ask());
  EXPECT_EQ(heard_, std::vector<std::string>{"web"});
}

TEST_F(OomWatchTest, CheckTellsBeforeTheKernelDoes) {
  watch_->Next(Ask());
  Put("memory.events", "oom_kill 1\n");
  watch_->Check("web");
  EXPECT_EQ(heard_, std::vector<std::string>{"web"});
  RunFor(10ms);
  EXPECT_EQ(heard_.size(), 1U);
}

TEST_F(OomWatchTest, ARemovedContainerIsSilentAndWaitersMayFail) {
  watch_->Remove("web");
  watch_->Next(Ask());
  Put("memory.events", "oom_kill 5\n");
  RunFor(10ms);
  EXPECT_TRUE(heard_.empty());
  watch_->FailWaiters(Error(Code::kUnavailable, "gone"));
  EXPECT_EQ(heard_, std::vector<std::string>{"error"});
  watch_->Add("absent", Cgroup(dir_ + "/absent"));
  watch_->Check("absent");
}

}  // namespace
}  // namespace kata_cc::agent
