// SPDX-License-Identifier: Apache-2.0
// UniqueFd: owns a file descriptor and closes it exactly once.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"

namespace kata_cc {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    Reset(other.Release());  // Release first: also right when other is *this.
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Opens path with O_CLOEXEC added to flags.
Result<UniqueFd> OpenFile(const std::string& path, int flags, unsigned mode = 0);

}  // namespace kata_cc
