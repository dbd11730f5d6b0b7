// SPDX-License-Identifier: Apache-2.0
// For tests: a guest without a VM. FakeAgent is a real ttrpc server with Kata's methods over a
// socket pair; FakeVm hands out its other end, and its VMM is a `sleep`.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/reactor.h"
#include "base/synced.h"
#include "base/worker_pool.h"
#include "proto/agent.pb.h"
#include "proto/ttrpc/server.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {

// The tests' view of what the shim asked for, and what the guest is to do.
struct GuestScript {
  struct Process {
    std::string output;  // Left to read.
    std::string input;   // Written to its stdin.
    bool stdin_closed = false;
    bool hold_output = false;  // Reads wait: a grandchild holds the pipe.
    std::optional<int> status;
    std::vector<ttrpc::Responder> waiting;
    std::vector<ttrpc::Responder> reading;
  };
  std::vector<std::string> calls;        // Methods in the order they came, "Method container/exec".
  std::map<std::string, Error> refused;  // By method.
  std::set<std::string> silent;          // Methods that get no answer.
  std::map<std::string, Process> processes;  // By "container/exec".
  std::string policy;
  std::vector<ttrpc::Responder> unanswered;
  std::map<std::string, grpc::CreateContainerRequest> created;
  std::map<std::string, grpc::ExecProcessRequest> execs;
};

class FakeAgent {
 public:
  FakeAgent(Reactor& reactor, WorkerPool& pool);
  ~FakeAgent();

  void Serve(UniqueFd stream);  // Any thread.
  void Hangup();                // Any thread: the agent's end of the connection closes.

  // Ends a process: answers its waiters, and its readers with the end of file.
  void Exit(const std::string& key, int status);

  // Of one whose output is held: text to the first of its readers, then the end of file.
  void EndOutput(const std::string& key, const std::string& text);

  Synced<GuestScript> script;

 private:
  template <typename Request>
  void Handle(const char* method,
              std::function<void(GuestScript&, const Request&, ttrpc::Responder)>);
  void RegisterProcessMethods();

  Reactor& reactor_;
  std::shared_ptr<ttrpc::Server> server_;
};

struct FakeVmState {
  std::atomic<bool> started = false;
  std::atomic<bool> stopped = false;
  std::atomic<bool> boots = true;   // False: ConnectAgent runs into its deadline.
  std::atomic<int> vmm_pidfd = -1;  // To kill the VMM with.
  Synced<std::optional<VmConfig>> config;
  Synced<std::set<std::string>> disks;
};

Result<std::unique_ptr<Vm>> MakeFakeVm(VmConfig config, std::shared_ptr<FakeVmState> state,
                                       std::shared_ptr<FakeAgent> agent);

}  // namespace kata_cc::shim
