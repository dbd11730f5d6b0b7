// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/kernel_command_line.h"

#include <cstddef>
#include <set>
#include <string>

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMaxBytes = 64U << 10;
constexpr std::string_view kPrefix = "kata_cc.";

bool IsSpace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

// The next word, by the kernel's rule: spaces inside double quotes do not end it.
std::string_view NextWord(std::string_view& rest) {
  std::size_t begin = 0;
  while (begin < rest.size() && IsSpace(rest[begin]))
    ++begin;
  std::size_t end = begin;
  bool quoted = false;
  while (end < rest.size() && (quoted || !IsSpace(rest[end]))) {
    if (rest[end] == '"') quoted = !quoted;
    ++end;
  }
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

Error Bad(std::string_view key, std::string_view why) {
  // The key came from the host; it is cut, so that a line of the console stays readable.
  return {Code::kInvalidArgument,
          "kernel command line: " + std::string(key.substr(0, 64)) + ": " + std::string(why)};
}

Result<Transport> ParseTransport(std::string_view name) {
  if (name == "virtio-serial") return Transport::kVirtioSerial;
  if (name == "vsock") return Transport::kVsock;
  return Error(Code::kInvalidArgument, "not virtio-serial or vsock");
}

Result<void> Apply(std::string_view key, std::string_view value, KernelCommandLine& out) {
  if (key == "kata_cc.transport") {
    out.transport = TRY(ParseTransport(value));
  } else if (key == "kata_cc.tee") {
    out.tee = TRY(ParseTee(value));
  } else if (key == "kata_cc.log") {
    out.log_level = TRY(ParseLogLevel(value));
  } else {
    return Error(Code::kInvalidArgument, "unknown key");
  }
  return {};
}

}  // namespace

Result<Tee> ParseTee(std::string_view name) {
  if (name == "snp") return Tee::kSnp;
  if (name == "sim") return Tee::kSim;
  if (name == "none") return Tee::kNone;
  return Error(Code::kInvalidArgument, "not snp, sim or none");
}

Result<LogLevel> ParseLogLevel(std::string_view name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "info") return LogLevel::kInfo;
  if (name == "warn") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return Error(Code::kInvalidArgument, "not debug, info, warn or error");
}

Result<KernelCommandLine> ParseKernelCommandLine(std::string_view text) {
  if (text.size() > kMaxBytes) return Bad("", "longer than 64 KiB");
  KernelCommandLine out;
  std::set<std::string_view> seen;
  while (true) {
    std::string_view word = NextWord(text);
    if (word.empty()) break;
    // The kernel also takes "key=value" with the quotes around the whole.
    if (word.size() >= 2 && word.front() == '"' && word.back() == '"') {
      word = word.substr(1, word.size() - 2);
    }
    if (!word.starts_with(kPrefix)) continue;
    const std::size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    if (!seen.insert(key).second) return Bad(key, "given twice");
    if (equals == std::string_view::npos) return Bad(key, "has no value");
    const Result<void> applied = Apply(key, word.substr(equals + 1), out);
    if (!applied) return Bad(key, applied.error().message());
  }
  return out;
}

}  // namespace kata_cc::agent
