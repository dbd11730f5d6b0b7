// SPDX-License-Identifier: Apache-2.0
// Reply: the answer to a request that may wait.
#pragma once

#include <functional>

#include "base/result.h"

namespace kata_cc::agent {

// done runs once, on any thread. wanted is false once nobody waits for it any more: then nothing is
// consumed on its behalf.
template <typename T>
struct Reply {
  std::function<void(Result<T>)> done;
  std::function<bool()> wanted;
  std::function<void(std::function<void()>)> on_abandoned;

  bool IsWanted() const { return !wanted || wanted(); }
};

}  // namespace kata_cc::agent
