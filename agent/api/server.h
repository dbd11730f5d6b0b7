// SPDX-License-Identifier: Apache-2.0
// ApiServer: the local API on the pod's loopback, in the network namespace that the guest shares
// with the pod. A connection has one request, and not long to make it.
#pragma once

#include <chrono>
#include <memory>

#include "agent/api/handler.h"
#include "base/result.h"

namespace kata_cc::agent {

class ApiServer {
 public:
  struct Options {
    int port = 8006;  // 0: any.
    std::chrono::milliseconds patience = std::chrono::seconds(10);
    int max_connections = 16;
  };
  // The handler outlives the server. At first it does not listen.
  static Result<std::unique_ptr<ApiServer>> Create(ApiHandler& handler, Options options);
  virtual ~ApiServer() = default;  // Waits for the requests that run.

  // Any thread: listens from now on, or no longer.
  virtual Result<void> Listen(bool wanted) = 0;
  virtual int port() const = 0;  // 0: not listening.
};

}  // namespace kata_cc::agent
