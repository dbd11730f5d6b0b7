// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/uvm.h"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "proto/ttrpc/client.h"

namespace kata_cc::shim {
namespace {

using Clock = std::chrono::steady_clock;

// Between two of these a cancelled or dead VM is noticed.
constexpr std::chrono::milliseconds kConnectSlice{1000};
constexpr int kMaxFailedChecks = 2;

}  // namespace

Result<std::shared_ptr<Uvm>> Uvm::Create(Reactor& reactor, const CreateVm& create_vm,
                                         VmConfig config, UvmTimeouts timeouts) {
  std::unique_ptr<Vm> vm = TRY(create_vm(std::move(config)));
  return std::shared_ptr<Uvm>(new Uvm(reactor, std::move(vm), timeouts));
}

Uvm::~Uvm() {
  Stop();
}

Result<void> Uvm::Start() {
  const std::lock_guard lock(vm_mutex_);
  if (stopping_) return Error(Code::kCancelled, "the VM is being stopped");
  (void)TRY(vm_->Start());
  pid_ = vm_->vmm_pid();
  vmm_ = TRY(vm_->OpenVmmPidfd());
  return {};
}

bool Uvm::VmmEnded() const {
  pollfd watched = {vmm_.get(), POLLIN, 0};
  return ::poll(&watched, 1, 0) > 0;
}

Result<UniqueFd> Uvm::ConnectStream(const std::atomic<bool>& cancel, Clock::time_point deadline) {
  for (;;) {
    const auto slice = std::min(deadline, Clock::now() + kConnectSlice);
    Result<UniqueFd> stream = vm_->ConnectAgent(slice);
    if (stream) return stream;
    if (cancel || stopping_) return Error(Code::kCancelled, "the VM is being stopped");
    if (VmmEnded()) {
      std::string tail = vm_->ConsoleTail();
      return Error(Code::kUnavailable,
                   "the VM ended before its agent came up" +
                       (tail.empty() ? std::string() : "; console: " + std::move(tail)));
    }
    if (stream.error().code() != Code::kDeadlineExceeded || Clock::now() >= deadline) return stream;
  }
}

Result<void> Uvm::Connect(const std::atomic<bool>& cancel) {
  const std::lock_guard lock(vm_mutex_);
  const auto deadline = Clock::now() + timeouts_.dial;
  UniqueFd stream = TRY(ConnectStream(cancel, deadline));
  auto client = TRY(ttrpc::Client::Create(reactor_, std::move(stream)));
  auto agent = std::make_shared<Agent>(std::move(client), timeouts_.request);
  const auto left = std::max<Clock::duration>(deadline - Clock::now(), std::chrono::seconds(1));
  if (auto checked = agent->Check(left); !checked) {
    agent->Close();
    std::string tail = vm_->ConsoleTail();
    return Error(checked.error().code(),
                 "health check: " + checked.error().message() +
                     (tail.empty() ? std::string() : "; console: " + std::move(tail)));
  }
  agent_ = std::move(agent);
  return {};
}

Result<void> Uvm::AttachDisk(const VmDisk& disk) {
  const std::lock_guard lock(vm_mutex_);
  if (stopping_) return Error(Code::kCancelled, "the VM is being stopped");
  return vm_->AttachDisk(disk);
}

void Uvm::Rest() {
  const std::lock_guard lock(vm_mutex_);
  if (!stopping_) vm_->Rest();
}

Result<void> Uvm::DetachDisk(const std::string& id) {
  const std::lock_guard lock(vm_mutex_);
  if (stopping_) return {};
  return vm_->DetachDisk(id);
}

void Uvm::Stop() {
  stopping_ = true;
  const std::lock_guard lock(vm_mutex_);
  if (stopped_) return;
  const Result<void> stopped = vm_->Stop();
  stopped_ = stopped.has_value();
  if (!stopped)
    Log(LogLevel::kError, "cannot stop the VM", {{field::kError, stopped.error().message()}});
  if (agent_) agent_->Close();
}

void Uvm::Monitor(std::function<void(std::string)> on_lost) {
  reactor_.Post([self = shared_from_this(), on_lost = std::move(on_lost)] {
    self->on_lost_ = on_lost;
    self->monitoring_ = true;
    // Weak, for a VM that is gone must not be kept by its own watch.
    const std::weak_ptr<Uvm> weak = self;
    self->watching_ = self->reactor_
                          .Watch(self->vmm_.get(), EPOLLIN,
                                 [weak](std::uint32_t) {
                                   if (const auto uvm = weak.lock()) uvm->Lost("the VMM ended");
                                 })
                          .has_value();
    self->agent_->OnClosed([weak](const Error& error) {
      if (const auto uvm = weak.lock())
        uvm->Lost("the connection to the agent ended: " + error.message());
    });
    self->ScheduleHealthCheck();
  });
}

void Uvm::ScheduleHealthCheck() {
  const std::weak_ptr<Uvm> weak = weak_from_this();
  health_timer_ = reactor_.After(timeouts_.health_interval, [weak] {
    const auto uvm = weak.lock();
    if (!uvm || !uvm->monitoring_) return;
    uvm->agent_->CheckAsync(uvm->timeouts_.health_call, [weak](const Result<void>& healthy) {
      const auto checked = weak.lock();
      if (!checked || !checked->monitoring_) return;
      checked->failed_checks_ = healthy ? 0 : checked->failed_checks_ + 1;
      if (checked->failed_checks_ >= kMaxFailedChecks)
        return checked->Lost("the agent does not answer: " + healthy.error().message());
      checked->ScheduleHealthCheck();
    });
  });
}

void Uvm::EndMonitor() {
  monitoring_ = false;
  reactor_.Cancel(health_timer_);
  if (std::exchange(watching_, false)) reactor_.Unwatch(vmm_.get());
}

void Uvm::Lost(const std::string& why) {
  if (!monitoring_) return;
  const auto self = shared_from_this();
  EndMonitor();
  const auto on_lost = std::exchange(on_lost_, nullptr);
  if (!stopping_ && on_lost) on_lost(why);
}

}  // namespace kata_cc::shim
