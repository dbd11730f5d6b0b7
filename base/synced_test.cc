// SPDX-License-Identifier: Apache-2.0
#include "base/synced.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <thread>
#include <vector>

namespace kata_cc {
namespace {

TEST(SyncedTest, CountsFromManyThreads) {
  struct State {
    std::map<std::string, int> counts;
  };
  Synced<State> state;
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 1000; ++n)
          state.Lock()->counts["x"]++;
      });
    }
  }
  EXPECT_EQ(state.Lock()->counts["x"], 4000);
}

}  // namespace
}  // namespace kata_cc
