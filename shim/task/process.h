// SPDX-License-Identifier: Apache-2.0
// Process: the init process of a container, or an exec in it, as the task API sees it.
//
//   state      on                       becomes
//   Creating   Create answered          Created
//   Created    Start                    Starting
//   Created    Kill (init only)         Stopped
//   Starting   the guest started it     Running
//   Starting   the guest refused        Stopped
//   Running    Pause / Resume           Paused / Running
//   any but Creating and Stopped: exit, or loss of the VM   Stopped
//   Stopped    Delete                   (gone)
//
// Stopped is reached once, so there is one exit event and one status.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "proto/oci.pb.h"
#include "shim/io/streams.h"
#include "shim/task/process_io.h"

namespace kata_cc::shim {

enum class ProcessState { kCreating, kCreated, kStarting, kRunning, kPaused, kStopped };
const char* StateName(ProcessState state);

// How a process ended: its exit code, 128 + signal, or 255 when nobody knows.
struct Exit {
  std::uint32_t status = 0;
  google::protobuf::Timestamp at;
};

constexpr std::uint32_t kExitUnknown = 255;

struct TerminalSize {
  std::uint32_t width = 0;  // Columns.
  std::uint32_t height = 0;
};

// Guarded by the sandbox's lock, but for io, which has threads of its own.
struct Process {
  std::string container_id;
  std::string exec_id;  // Empty: the container's init.
  ProcessState state = ProcessState::kCreating;
  StreamPaths streams;
  grpc::Process spec;  // Of an exec.
  std::optional<TerminalSize> terminal_size;
  std::shared_ptr<ProcessIo> io;
  Exit exit;
  bool deleting = false;

  using Waiter = std::function<void(const Exit&)>;
  std::map<std::uint64_t, Waiter> waiters;

  bool is_init() const { return exec_id.empty(); }
  bool stopped() const { return state == ProcessState::kStopped; }
  bool alive() const {  // There is a process in the guest.
    return state == ProcessState::kRunning || state == ProcessState::kPaused;
  }

  // FailedPrecondition, naming both states, unless the table above has the change.
  Result<void> Transition(ProcessState to);
};

}  // namespace kata_cc::shim
