// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <iterator>
#include <memory>
#include <mutex>

namespace kata_cc {
namespace {

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// Escapes control bytes and quotes, so text from a guest cannot start a line of its own.
void AppendQuoted(std::string_view text, fmt::memory_buffer& out) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

// One write a line, so that lines of several processes do not mix.
class FdSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FdSink(int fd) : fd_(fd) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (::write(fd_, line.data(), line.size()) < 0) return;  // Nowhere to report it.
  }
  void flush_() override {}
  int fd_;
};

}  // namespace

void LogToFd(int fd, LogLevel lowest) {
  auto logger = std::make_shared<spdlog::logger>("log", std::make_shared<FdSink>(fd));
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})", spdlog::pattern_time_type::utc));
  spdlog::set_default_logger(std::move(logger));
  SetLogLevel(lowest);
}

void SetLogLevel(LogLevel lowest) {
  spdlog::set_level(ToSpdlog(lowest));
}

void Log(LogLevel level, std::string_view message, std::initializer_list<Field> fields) {
  const auto spdlog_level = ToSpdlog(level);
  if (!spdlog::should_log(spdlog_level)) return;
  fmt::memory_buffer line;
  fmt::format_to(std::back_inserter(line), "\"msg\":");
  AppendQuoted(message, line);
  for (const Field& field : fields) {
    fmt::format_to(std::back_inserter(line), ",\"{}\":", field.key);
    AppendQuoted(field.value, line);
  }
  spdlog::log(spdlog_level, "{}", std::string_view(line.data(), line.size()));
}

}  // namespace kata_cc
