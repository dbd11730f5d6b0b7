// SPDX-License-Identifier: Apache-2.0
// ttrpc client over any connected byte stream. Many calls may be in flight at once.
#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/ttrpc/server.h"

namespace kata_cc::ttrpc {

struct CallOptions {
  std::chrono::nanoseconds timeout{0};  // 0: wait until answered or the connection ends.
  Metadata metadata;
};

class Client {
 public:
  // Any thread. The reactor outlives the client and must be running for calls to be answered.
  static Result<std::shared_ptr<Client>> Create(Reactor& reactor, UniqueFd stream);
  virtual ~Client() = default;

  // Any thread. done runs once, on the reactor thread, and must not block: with the serialized
  // response, the peer's status, DeadlineExceeded, or Unavailable when the connection has ended.
  using Done = std::function<void(Result<std::string>)>;
  virtual void CallAsync(std::string_view service, std::string_view method, std::string payload,
                         CallOptions options, Done done) = 0;

  // Any thread but the reactor's: blocks until the answer. response may be null.
  Result<void> Call(std::string_view service, std::string_view method,
                    const google::protobuf::MessageLite& request,
                    google::protobuf::MessageLite* response, CallOptions options = {});

  // Any thread. Runs callback on the reactor thread once the connection has ended; at once (posted)
  // if it has already.
  virtual void OnClosed(std::function<void(Error)> callback) = 0;

  // Any thread: ends the connection; calls in flight are answered Unavailable.
  virtual void Close() = 0;
};

}  // namespace kata_cc::ttrpc
