// SPDX-License-Identifier: Apache-2.0
#include "shim/task/process_io.h"

#include <utility>

#include "base/log.h"

namespace kata_cc::shim {

ProcessIo::ProcessIo(Reactor& reactor, Streams streams, std::string container_id,
                     std::string exec_id)
    : reactor_(reactor),
      container_id_(std::move(container_id)),
      exec_id_(std::move(exec_id)),
      streams_(std::move(streams)),
      drained_future_(drained_.get_future().share()) {}

Result<std::shared_ptr<ProcessIo>> ProcessIo::Open(Reactor& reactor, const StreamPaths& paths,
                                                   std::string container_id, std::string exec_id) {
  Streams streams = TRY(OpenStreams(paths));
  return std::shared_ptr<ProcessIo>(
      new ProcessIo(reactor, std::move(streams), std::move(container_id), std::move(exec_id)));
}

void ProcessIo::Start(std::shared_ptr<Agent> agent) {
  reactor_.Post([self = shared_from_this(), agent = std::move(agent)] {
    if (self->over_) return;
    self->agent_ = agent;
    self->open_outputs_ = 1;  // Held until both are started, for one may end at once.
    self->StartOutput(Agent::Stream::kStdout, std::move(self->streams_.out), &self->out_);
    self->StartOutput(Agent::Stream::kStderr, std::move(self->streams_.err), &self->err_);
    self->OutputEnded(nullptr);
    if (!self->streams_.in.valid()) return;
    const std::weak_ptr<ProcessIo> weak = self;
    self->in_ = InputRelay::Start(
        self->reactor_, std::move(self->streams_.in), std::move(self->streams_.in_keeper),
        [weak](std::string data, auto done) {
          const auto io = weak.lock();
          if (!io) return done(Error(Code::kCancelled, "the process is gone"));
          io->agent_->WriteStdin(io->container_id_, io->exec_id_, std::move(data), std::move(done));
        },
        [weak] {
          if (const auto io = weak.lock())
            io->agent_->CloseStdinAsync(io->container_id_, io->exec_id_);
        });
    if (self->close_stdin_) self->in_->DropKeeper();
  });
}

void ProcessIo::StartOutput(Agent::Stream stream, UniqueFd sink,
                            std::shared_ptr<OutputRelay>* relay) {
  if (!sink.valid()) return;
  ++open_outputs_;
  *relay = OutputRelay::Start(
      reactor_, std::move(sink),
      [agent = agent_, stream, container_id = container_id_, exec_id = exec_id_](
          std::uint32_t length, auto done) {
        agent->Read(stream, container_id, exec_id, length, std::move(done));
      },
      [self = shared_from_this()](const Error* error) { self->OutputEnded(error); });
}

void ProcessIo::OutputEnded(const Error* error) {
  if (error != nullptr && error->code() == Code::kPermissionDenied)
    Log(LogLevel::kWarn, "the policy keeps this process's output in the guest",
        {{field::kContainerId, container_id_},
         {field::kExecId, exec_id_},
         {field::kError, error->message()}});
  if (--open_outputs_ != 0) return;
  output_over_ = true;
  drained_.set_value();
  RunAfterOutput();
}

void ProcessIo::AfterOutput(std::chrono::milliseconds timeout, std::function<void()> done) {
  reactor_.Post([self = shared_from_this(), timeout, done = std::move(done)] {
    self->after_output_ = done;
    if (self->output_over_) return self->RunAfterOutput();
    self->reactor_.After(timeout, [self] { self->RunAfterOutput(); });
  });
}

void ProcessIo::RunAfterOutput() {
  if (const auto done = std::exchange(after_output_, nullptr)) done();
}

void ProcessIo::CloseStdin() {
  reactor_.Post([self = shared_from_this()] {
    self->close_stdin_ = true;
    if (self->in_) self->in_->DropKeeper();
  });
}

void ProcessIo::ProcessEnded() {
  reactor_.Post([self = shared_from_this()] {
    if (self->in_) self->in_->Stop();
    self->in_.reset();
  });
}

void ProcessIo::Cancel() {
  reactor_.Post([self = shared_from_this()] {
    if (std::exchange(self->over_, true)) return;
    if (self->in_) self->in_->Stop();
    self->in_.reset();
    if (self->agent_) {
      if (self->out_) self->out_->Cancel();
      if (self->err_) self->err_->Cancel();
    } else {
      self->streams_ = Streams();  // Never started.
      self->output_over_ = true;
      self->drained_.set_value();
      self->RunAfterOutput();
    }
  });
}

bool ProcessIo::WaitDrained(std::chrono::milliseconds timeout) {
  return drained_future_.wait_for(timeout) == std::future_status::ready;
}

}  // namespace kata_cc::shim
