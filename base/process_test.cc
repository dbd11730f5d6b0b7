// SPDX-License-Identifier: Apache-2.0
#include "base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace kata_cc {
namespace {

TEST(ChildProcessTest, WaitReturnsTheExitStatus) {
  auto child = ChildProcess::Spawn({"sh", "-c", "exit 7"});
  ASSERT_TRUE(child.has_value()) << child.error().message();
  EXPECT_EQ(*child->Wait(), 7);
}

TEST(ChildProcessTest, MissingProgramIsNotFound) {
  auto child = ChildProcess::Spawn({"/no/such/program"});
  ASSERT_FALSE(child.has_value());
  EXPECT_EQ(child.error().code(), Code::kNotFound);
}

TEST(ChildProcessTest, RedirectsTheChildsOutput) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  auto child = ChildProcess::Spawn({"echo", "out"}, {.stdout_fd = write_end.get()});
  ASSERT_TRUE(child.has_value()) << child.error().message();
  write_end.Reset();
  EXPECT_EQ(*child->Wait(), 0);
  char text[8] = {};
  EXPECT_EQ(::read(read_end.get(), text, sizeof text), 4);
  EXPECT_STREQ(text, "out\n");
}

TEST(ChildProcessTest, DroppingAChildKillsIt) {
  auto child = ChildProcess::Spawn({"sleep", "1000"});
  ASSERT_TRUE(child.has_value());
}

}  // namespace
}  // namespace kata_cc
