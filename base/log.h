// SPDX-License-Identifier: Apache-2.0
// Structured log lines: a constant message and fields, one JSON object a line.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

namespace kata_cc {

// The field names in use. A name not listed here does not go into a log line.
namespace field {
constexpr std::string_view kSandboxId = "sandbox_id";
constexpr std::string_view kContainerId = "container_id";
constexpr std::string_view kExecId = "exec_id";
constexpr std::string_view kError = "error";
constexpr std::string_view kMethod = "method";
constexpr std::string_view kDurationMs = "duration_ms";
constexpr std::string_view kUptimeMs = "uptime_ms";
constexpr std::string_view kPid = "pid";
constexpr std::string_view kExitStatus = "exit_status";
constexpr std::string_view kPath = "path";
constexpr std::string_view kTopic = "topic";
constexpr std::string_view kStage = "stage";
}  // namespace field

struct Field {
  template <typename T>
  Field(std::string_view name, const T& any) : key(name), value(fmt::format("{}", any)) {}

  std::string_view key;
  std::string value;
};

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// Before the first thread: sends the lines of this level and above to fd, which stays the caller's
// and may be non-blocking: a line that does not fit is dropped, for a log must not stop its writer.
void LogToFd(int fd, LogLevel lowest);

// Any thread.
void SetLogLevel(LogLevel lowest);

void Log(LogLevel level, std::string_view message, std::initializer_list<Field> fields = {});

}  // namespace kata_cc
