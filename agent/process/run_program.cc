// SPDX-License-Identifier: Apache-2.0
#include "agent/process/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/process.h"
#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

constexpr int kTimeoutMs = 60'000;

// The last line of a file, without what could forge one elsewhere.
std::string LastLine(const UniqueFd& file) {
  std::array<char, 512> tail = {};
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  const off_t from =
      size > static_cast<off_t>(tail.size()) ? size - static_cast<off_t>(tail.size()) : 0;
  const ssize_t n = ::pread(file.get(), tail.data(), tail.size(), from);
  std::string text(tail.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  text.erase(0, text.find_last_of('\n') + 1);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return text;
}

}  // namespace

Result<void> RunProgram(Reaper& reaper, const std::vector<std::string>& argv) {
  const UniqueFd null = TRY(OpenFile("/dev/null", O_RDWR));
  const UniqueFd output(::memfd_create("output", MFD_CLOEXEC));
  if (!output.valid()) return ErrnoError(errno, "memfd_create");
  const Reaper::Hold hold(reaper);
  ChildProcess child = TRY(ChildProcess::Spawn(
      argv, {.stdin_fd = null.get(), .stdout_fd = output.get(), .stderr_fd = output.get()}));
  pollfd poll = {child.pidfd(), POLLIN, 0};
  if (RetryOnEintr([&] { return ::poll(&poll, 1, kTimeoutMs); }) != 1) {
    return Error(Code::kDeadlineExceeded, argv.front() + ": it does not end");
  }
  if (TRY(child.Wait()) == 0) return {};
  return Error(Code::kInternal, argv.front() + ": " + LastLine(output));
}

}  // namespace kata_cc::agent
