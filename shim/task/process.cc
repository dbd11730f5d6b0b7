// SPDX-License-Identifier: Apache-2.0
#include "shim/task/process.h"

namespace kata_cc::shim {
namespace {

bool Allowed(ProcessState from, ProcessState to) {
  switch (to) {
    case ProcessState::kCreating:
      return false;
    case ProcessState::kCreated:
      return from == ProcessState::kCreating;
    case ProcessState::kStarting:
      return from == ProcessState::kCreated;
    case ProcessState::kRunning:
      return from == ProcessState::kStarting || from == ProcessState::kPaused;
    case ProcessState::kPaused:
      return from == ProcessState::kRunning;
    case ProcessState::kStopped:
      return from != ProcessState::kCreating && from != ProcessState::kStopped;
  }
  return false;
}

}  // namespace

const char* StateName(ProcessState state) {
  switch (state) {
    case ProcessState::kCreating:
      return "creating";
    case ProcessState::kCreated:
      return "created";
    case ProcessState::kStarting:
      return "starting";
    case ProcessState::kRunning:
      return "running";
    case ProcessState::kPaused:
      return "paused";
    case ProcessState::kStopped:
      return "stopped";
  }
  return "unknown";
}

Result<void> Process::Transition(ProcessState to) {
  if (!Allowed(state, to)) {
    const std::string name = is_init() ? "container " + container_id : "exec " + exec_id;
    return Error(Code::kFailedPrecondition,
                 name + " is " + StateName(state) + ", cannot become " + StateName(to));
  }
  state = to;
  return {};
}

}  // namespace kata_cc::shim
