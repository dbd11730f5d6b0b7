// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <sstream>
#include <string>

#include "base/unique_fd.h"

namespace kata_cc {
namespace {

TEST(LogTest, GuestTextCannotForgeALine) {
  std::ostringstream out;
  auto logger =
      std::make_shared<spdlog::logger>("t", std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  logger->set_pattern(R"({"level":"%l",%v})");
  spdlog::set_default_logger(logger);
  Log(LogLevel::kInfo, "container started",
      {{field::kContainerId, "a\n{\"level\":\"fatal\"}"}, {field::kExecId, 7}});
  EXPECT_EQ(out.str(),
            "{\"level\":\"info\",\"msg\":\"container started\",\"container_id\":"
            "\"a\\u000a{\\\"level\\\":\\\"fatal\\\"}\",\"exec_id\":\"7\"}\n");
}

TEST(LogTest, WritesLinesOfTheLevelToADescriptor) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  LogToFd(write_end.get(), LogLevel::kWarn);
  Log(LogLevel::kInfo, "not this");
  Log(LogLevel::kWarn, "this", {{field::kPid, 7}});
  char text[256] = {};
  ASSERT_GT(::read(read_end.get(), text, sizeof text - 1), 0);
  const std::string line = text;
  EXPECT_EQ(line.find("{\"time\":\"20"), 0U) << line;
  EXPECT_NE(line.find("\"level\":\"warning\",\"msg\":\"this\",\"pid\":\"7\"}\n"), std::string::npos)
      << line;
  EXPECT_EQ(line.find("not this"), std::string::npos);
  for (int i = 0; i < 2000; ++i)
    Log(LogLevel::kWarn, "a full pipe does not block");
  LogToFd(STDERR_FILENO, LogLevel::kInfo);
}

}  // namespace
}  // namespace kata_cc
