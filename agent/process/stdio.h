// SPDX-License-Identifier: Apache-2.0
// The ends of a process's standard streams: pipes, or the terminal that the OCI runtime makes and
// hands over on a console socket.
#pragma once

#include <string>
#include <utility>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

// The agent's ends; non-blocking. With a terminal, input and output are its master, twice.
struct Stdio {
  UniqueFd input;
  UniqueFd output;
  UniqueFd error;    // Invalid with a terminal.
  UniqueFd console;  // The terminal's master, for its size; or invalid.
};

// The process's ends, of pipes.
struct ChildStdio {
  UniqueFd input;
  UniqueFd output;
  UniqueFd error;
};

Result<std::pair<Stdio, ChildStdio>> MakePipes();

// A socket that an OCI runtime connects to, and sends a terminal's master through
// (runtime-spec, `--console-socket`). Any one thread; the file goes with the object.
class ConsoleSocket {
 public:
  // Creates path, whose directory exists; at most 107 bytes.
  static Result<ConsoleSocket> Create(std::string path);
  ConsoleSocket(ConsoleSocket&& other) noexcept
      : path_(std::exchange(other.path_, {})), listener_(std::move(other.listener_)) {}
  ConsoleSocket& operator=(ConsoleSocket&&) = delete;
  ~ConsoleSocket();

  const std::string& path() const { return path_; }

  // The terminal, once the runtime has ended: FailedPrecondition when it sent none.
  Result<Stdio> Receive();

 private:
  ConsoleSocket(std::string path, UniqueFd listener)
      : path_(std::move(path)), listener_(std::move(listener)) {}

  std::string path_;
  UniqueFd listener_;
};

// Any thread. InvalidArgument beyond what a terminal's size can be.
Result<void> ResizeTerminal(int console, unsigned rows, unsigned columns);

}  // namespace kata_cc::agent
