// SPDX-License-Identifier: Apache-2.0
// TaskService: containerd's task API at the RPC edge. Unpacks a request, calls the sandbox, logs
// the call once with its duration, and maps the result. No state but the sandbox.
#pragma once

#include <functional>
#include <memory>

#include "base/worker_pool.h"
#include "proto/ttrpc/server.h"
#include "shim/sandbox/sandbox.h"

namespace kata_cc::shim {

class TaskService {
 public:
  // Everything outlives the server. Calls that only look at state run where the server runs them;
  // those that may wait for the guest or the VM run on blocking_pool, so that State answers in time
  // whatever the guest does. on_shutdown runs once nothing is left and containerd said Shutdown.
  TaskService(std::shared_ptr<Sandbox> sandbox, WorkerPool& blocking_pool,
              std::function<void()> on_shutdown)
      : sandbox_(std::move(sandbox)), pool_(blocking_pool), on_shutdown_(std::move(on_shutdown)) {}

  // Under the names of versions 2 and 3 of the API, whose messages are the same.
  void Register(ttrpc::Server* server);

 private:
  void RegisterAs(const std::string& service, ttrpc::Server* server);
  ttrpc::Handler Blocking(ttrpc::Handler handler);
  ttrpc::Handler Wait();
  ttrpc::Handler Shutdown();

  std::shared_ptr<Sandbox> sandbox_;
  WorkerPool& pool_;
  std::function<void()> on_shutdown_;
};

}  // namespace kata_cc::shim
