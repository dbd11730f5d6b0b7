// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/vmm_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "base/process.h"

namespace kata_cc::shim {
namespace {

constexpr char kUuid[] = "7d0c9a6e-3f61-4be5-9b64-9f6f6ce8d9d1";

TEST(VmmProcess, IsFoundByItsUuidAndItsEndIsSeen) {
  std::optional<ChildProcess> child;
  {
    Result<ChildProcess> spawned =
        ChildProcess::Spawn({"sh", "-c", "kill -STOP $$", "sh", "-uuid", kUuid});
    ASSERT_TRUE(spawned.has_value());
    child.emplace(std::move(*spawned));
  }
  Result<VmmProcess> found = Error(Code::kNotFound, "");
  for (int i = 0; i < 100 && !found; ++i) {  // The child has to exec first.
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    found = FindVmmProcess(kUuid);
  }
  ASSERT_TRUE(found.has_value()) << found.error().message();
  pollfd waits = {found->pidfd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&waits, 1, 0), 0);
  child.reset();
  EXPECT_EQ(::poll(&waits, 1, 5000), 1);
}

TEST(VmmProcess, UnknownUuidIsNotFound) {
  const Result<VmmProcess> found = FindVmmProcess("00000000-dead-beef-0000-000000000000");
  ASSERT_FALSE(found.has_value());
  EXPECT_EQ(found.error().code(), Code::kNotFound);
}

TEST(VmmProcess, NoProcIsNotFound) {
  EXPECT_FALSE(FindVmmProcess(kUuid, "/nonexistent"));
}

}  // namespace
}  // namespace kata_cc::shim
