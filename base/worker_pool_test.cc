// SPDX-License-Identifier: Apache-2.0
#include "base/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>

namespace kata_cc {
namespace {

TEST(WorkerPoolTest, DestructorRunsWhatWasPosted) {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(3);
    for (int i = 0; i < 100; ++i)
      pool.Post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 100);
}

TEST(WorkerPoolTest, TasksRunSideBySide) {
  std::barrier barrier(3);  // Hangs, and so fails by timeout, if they ran one after another.
  WorkerPool pool(3);
  for (int i = 0; i < 3; ++i)
    pool.Post([&] { barrier.arrive_and_wait(); });
}

TEST(WorkerPoolTest, ATaskMayPostAnother) {
  std::atomic<bool> ran = false;
  {
    WorkerPool pool(1);
    pool.Post([&] { pool.Post([&] { ran = true; }); });
  }
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace kata_cc
