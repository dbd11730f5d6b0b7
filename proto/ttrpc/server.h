// SPDX-License-Identifier: Apache-2.0
// ttrpc server over any byte stream: unix socket, vsock, virtio-serial port.
// Wire format: containerd/ttrpc PROTOCOL.md; behaviour towards bad requests as its Go server's.
#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "base/worker_pool.h"

namespace kata_cc::ttrpc {

using Metadata = std::vector<std::pair<std::string, std::string>>;  // Keys are lower case.

// What a handler may know of the call besides its payload.
struct Call {
  std::string service;
  std::string method;
  std::string payload;  // The serialized request message.
  Metadata metadata;
  std::optional<std::chrono::steady_clock::time_point> deadline;  // None: the caller waits forever.
};

namespace internal {
class ReplySlot;
}

// Answers one call, once; may be moved away and kept ("parked") while the call waits for
// something, and used from any thread. Dropped without an answer, it answers Internal.
class Responder {
 public:
  explicit Responder(std::shared_ptr<internal::ReplySlot> slot) : slot_(std::move(slot)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;
  ~Responder();

  void Reply(const google::protobuf::MessageLite& response) &&;
  void ReplyBytes(std::string serialized_response) &&;
  void Fail(const Error& error) &&;

  // False when nobody waits any more: the connection ended, or the deadline passed.
  bool wanted() const;
  // Runs once, on the reactor thread, when the call stops being wanted before it is answered.
  // Runs at once, on the caller's thread, if that is so already.
  void OnAbandoned(std::function<void()> callback);

 private:
  std::shared_ptr<internal::ReplySlot> slot_;
};

// Runs on a pool thread and may block for as long as one request takes; a longer wait (an exit,
// an event) parks the responder instead.
using Handler = std::function<void(Call call, Responder responder)>;

struct ServerOptions {
  std::size_t max_calls_in_flight =
      1024;  // A connection; more: ResourceExhausted. Parked ones count.
  std::size_t max_unsent_bytes = 64U << 20;  // A peer that does not read is cut off beyond this.
};

class Server {
 public:
  // Both outlive the server. Handlers run on the pool, everything else on the reactor's thread.
  Server(Reactor& reactor, WorkerPool& pool, ServerOptions options = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  // Before the first connection. A name registered twice is a bug (assert).
  void Register(std::string service, std::string method, Handler handler);

  // Reactor thread only. Serves one connected stream until its end; on_closed, if any, then runs on
  // the reactor thread, and says why unless the peer closed between frames.
  Result<void> Serve(UniqueFd stream,
                     std::function<void(std::optional<Error>)> on_closed = nullptr);

  // Reactor thread only. Accepts and serves connections of a listening socket. With
  // own_uid_only, a unix peer of another user or group is cut off, as Go's server does.
  Result<void> Listen(UniqueFd listener, bool own_uid_only = false);

  // Reactor thread only: ends every connection and stops listening.
  void Close();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// A handler for request and response message types: parses the payload (InvalidArgument if it is
// no Request), calls function, answers with its result.
template <typename Request, typename Response, typename Function>
Handler Unary(Function function) {
  return [function = std::move(function)](Call call, Responder responder) {
    Request request;
    if (!request.ParseFromString(call.payload)) {
      std::move(responder).Fail(
          Error(Code::kInvalidArgument, "ttrpc: " + call.method + ": malformed request"));
      return;
    }
    Result<Response> response = function(call, request);
    if (response) {
      std::move(responder).Reply(*response);
    } else {
      std::move(responder).Fail(response.error());
    }
  };
}

}  // namespace kata_cc::ttrpc
