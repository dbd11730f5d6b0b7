// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/metrics.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

TEST(GuestMetrics, AreProcsNumbersUnderKatasNames) {
  std::string proc = testing::TempDir() + "proc-XXXXXX";
  ASSERT_NE(::mkdtemp(proc.data()), nullptr);
  std::filesystem::create_directories(proc + "/net");
  std::filesystem::create_directories(proc + "/self");
  ASSERT_TRUE(WriteFile(proc + "/loadavg", AsBytes("0.50 1.00 2.00 1/99 123\n")));
  ASSERT_TRUE(
      WriteFile(proc + "/meminfo",
                AsBytes("MemTotal:   1024 kB\nActive(anon): 2 kB\nHugePages_Total: 5\nx\n")));
  ASSERT_TRUE(WriteFile(proc + "/net/dev", AsBytes("Inter-|   Receive\n face |bytes\n"
                                                   "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13\n"
                                                   "  \"x\": 1 2\n")));
  ASSERT_TRUE(
      WriteFile(proc + "/self/status", AsBytes("Name:\tx\nVmRSS:\t 6 kB\nRssAnon: 1 kB\n")));
  const std::string text = GuestMetrics(proc);
  for (const char* line : {"kata_guest_load{item=\"load5\"} 1.000000\n",
                           "kata_guest_meminfo{item=\"memtotal\"} 1048576\n",
                           "kata_guest_meminfo{item=\"active(anon)\"} 2048\n",
                           "kata_guest_netdev_stat{interface=\"eth0\",item=\"sent_bytes\"} 9\n",
                           "kata_agent_proc_status{item=\"vmrss\"} 6144\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  EXPECT_EQ(text.find("hugepages"), std::string::npos);
  EXPECT_EQ(text.find("\"\"x"), std::string::npos);
  EXPECT_EQ(text.find("rssanon"), std::string::npos);
  std::filesystem::remove_all(proc);
  EXPECT_EQ(GuestMetrics(proc).find("kata_guest_load{"), std::string::npos);
}

}  // namespace
}  // namespace kata_cc::agent
