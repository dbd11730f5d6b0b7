// SPDX-License-Identifier: Apache-2.0
// Uvm: a sandbox's utility VM together with the session to the agent in it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "shim/guest/agent.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {

using CreateVm = std::function<Result<std::unique_ptr<Vm>>(VmConfig)>;

struct UvmTimeouts {
  std::chrono::milliseconds dial{60000};
  std::chrono::milliseconds request{60000};
  std::chrono::milliseconds health_interval{5000};
  std::chrono::milliseconds health_call{30000};
};

class Uvm : public std::enable_shared_from_this<Uvm> {
 public:
  static Result<std::shared_ptr<Uvm>> Create(Reactor& reactor, const CreateVm& create_vm,
                                             VmConfig config, UvmTimeouts timeouts);
  ~Uvm();

  // Blocking; any thread but the reactor's. They follow each other: Start, Connect.
  Result<void> Start();
  // Until the agent answers a health check. Cancelled when cancel turns true.
  Result<void> Connect(const std::atomic<bool>& cancel);

  // Blocking; any thread but the reactor's.
  Result<void> AttachDisk(const VmDisk& disk);
  Result<void> DetachDisk(const std::string& id);
  void Rest();  // After disks; see Vm.
  void Stop();  // Repeatable.

  // Any thread. on_lost runs once, on the reactor thread, when the VMM ended, the connection broke
  // or the agent stopped answering; not after Stop began.
  void Monitor(std::function<void(std::string why)> on_lost);

  std::shared_ptr<Agent> agent() const { return agent_; }  // Null before Connect.
  pid_t pid() const { return pid_; }                       // 0 before Start.

 private:
  Uvm(Reactor& reactor, std::unique_ptr<Vm> vm, UvmTimeouts timeouts)
      : reactor_(reactor), timeouts_(timeouts), vm_(std::move(vm)) {}
  Result<UniqueFd> ConnectStream(const std::atomic<bool>& cancel,
                                 std::chrono::steady_clock::time_point deadline);
  bool VmmEnded() const;
  // Reactor thread only.
  void ScheduleHealthCheck();
  void Lost(const std::string& why);
  void EndMonitor();

  Reactor& reactor_;
  const UvmTimeouts timeouts_;
  std::mutex vm_mutex_;  // Vm's calls are blocking, and one at a time.
  std::unique_ptr<Vm> vm_;
  bool stopped_ = false;  // Under vm_mutex_.
  UniqueFd vmm_;
  std::atomic<pid_t> pid_ = 0;
  std::atomic<bool> stopping_ = false;
  std::shared_ptr<Agent> agent_;
  // Reactor thread only.
  std::function<void(std::string)> on_lost_;
  bool watching_ = false;
  bool monitoring_ = false;
  Reactor::TimerId health_timer_ = 0;
  int failed_checks_ = 0;
};

}  // namespace kata_cc::shim
