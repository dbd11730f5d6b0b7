// SPDX-License-Identifier: Apache-2.0
// ProcessIo: the relays of one process, from the streams' opening to the last byte.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>

#include "base/reactor.h"
#include "base/result.h"
#include "shim/guest/agent.h"
#include "shim/io/relay.h"
#include "shim/io/streams.h"

namespace kata_cc::shim {

class ProcessIo : public std::enable_shared_from_this<ProcessIo> {
 public:
  // Any thread. Opens the host's ends; nothing flows until Start.
  static Result<std::shared_ptr<ProcessIo>> Open(Reactor& reactor, const StreamPaths& paths,
                                                 std::string container_id, std::string exec_id);

  // Any thread, all of them; they return at once.
  void Start(std::shared_ptr<Agent> agent);
  void CloseStdin();    // CloseIO: the guest gets what is in the FIFO, then the end of file.
  void ProcessEnded();  // No more input; the output runs on to its end.
  void Cancel();

  // Any thread. Once, after the process's end: calls done on the reactor's thread when all output
  // is written, or after timeout: a client may take the end for the last it hears of the process.
  void AfterOutput(std::chrono::milliseconds timeout, std::function<void()> done);

  // Any thread but the reactor's: whether all output has been written within timeout.
  bool WaitDrained(std::chrono::milliseconds timeout);

 private:
  ProcessIo(Reactor& reactor, Streams streams, std::string container_id, std::string exec_id);
  void StartOutput(Agent::Stream stream, UniqueFd sink, std::shared_ptr<OutputRelay>* relay);
  void OutputEnded(const Error* error);
  void RunAfterOutput();

  Reactor& reactor_;
  const std::string container_id_;
  const std::string exec_id_;
  // Reactor thread only, from Start on.
  std::shared_ptr<Agent> agent_;
  Streams streams_;
  std::shared_ptr<OutputRelay> out_;
  std::shared_ptr<OutputRelay> err_;
  std::shared_ptr<InputRelay> in_;
  bool close_stdin_ = false;
  bool over_ = false;
  int open_outputs_ = 0;
  bool output_over_ = false;
  std::function<void()> after_output_;
  std::promise<void> drained_;
  std::shared_future<void> drained_future_;
};

}  // namespace kata_cc::shim
