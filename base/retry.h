// SPDX-License-Identifier: Apache-2.0
// RetryOnEintr: runs a system call again while a signal interrupts it. Never use it on close(2).
#pragma once

#include <cerrno>

namespace kata_cc {

template <typename Call>
auto RetryOnEintr(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

}  // namespace kata_cc
