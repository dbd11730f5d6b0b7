// SPDX-License-Identifier: Apache-2.0
// The host's ends of a process's stdio: the FIFOs that containerd's client made.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

// As the task API gives them: empty, a FIFO's path (or fifo://path), or file://path for output.
struct StreamPaths {
  std::string in = {};
  std::string out = {};
  std::string err = {};
  bool terminal = false;  // Then out carries both, and err is not opened.
};

// All descriptors are non-blocking. An output FIFO is open for reading too, so that it neither
// breaks nor loses what it holds while containerd restarts.
struct Streams {
  UniqueFd in;
  UniqueFd in_keeper;  // A writer of our own: the end of file comes when CloseIO drops it.
  UniqueFd out;
  UniqueFd err;
};

// Unimplemented for another URI scheme; NotFound when a FIFO is missing.
Result<Streams> OpenStreams(const StreamPaths& paths);

}  // namespace kata_cc::shim
