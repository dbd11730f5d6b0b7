// SPDX-License-Identifier: Apache-2.0
#include "shim/task/process.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace kata_cc::shim {
namespace {

using S = ProcessState;

TEST(ProcessTest, OnlyTheTablesTransitionsAreTaken) {
  const std::set<std::pair<S, S>> allowed = {
      {S::kCreating, S::kCreated}, {S::kCreated, S::kStarting}, {S::kCreated, S::kStopped},
      {S::kStarting, S::kRunning}, {S::kStarting, S::kStopped}, {S::kRunning, S::kPaused},
      {S::kRunning, S::kStopped},  {S::kPaused, S::kRunning},   {S::kPaused, S::kStopped}};
  const S states[] = {S::kCreating, S::kCreated, S::kStarting,
                      S::kRunning,  S::kPaused,  S::kStopped};
  for (const S from : states) {
    for (const S to : states) {
      Process process;
      process.container_id = "web";
      process.state = from;
      const auto result = process.Transition(to);
      EXPECT_EQ(result.has_value(), allowed.contains({from, to}))
          << StateName(from) << " to " << StateName(to);
      EXPECT_EQ(process.state, result ? to : from);
      if (!result) {
        EXPECT_EQ(result.error().code(), Code::kFailedPrecondition);
        EXPECT_NE(result.error().message().find(StateName(from)), std::string::npos);
      }
    }
  }
}

}  // namespace
}  // namespace kata_cc::shim
