// SPDX-License-Identifier: Apache-2.0
// PendingCall: an admitted call until its answer. Its end settles three things at once: the
// policy's state changes, the reply, and the line in the log.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "agent/rpc/policy_gate.h"
#include "base/log.h"
#include "base/result.h"
#include "proto/ttrpc/server.h"

namespace kata_cc::agent {

// Any thread. Dropped without an answer, it leaves the state as it was, and ttrpc answers Internal.
class PendingCall {
 public:
  // level: of the log line when the call succeeds.
  PendingCall(std::string method, LogLevel level, ttrpc::Responder responder)
      : method_(std::move(method)), level_(level), responder_(std::move(responder)) {}
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;

  // Before the answer, by the one thread that dispatches.
  void Admit(PolicyGate::Admission admission) { admission_.emplace(std::move(admission)); }
  const PolicyGate::Admission& admission() const { return *admission_; }

  // The first answer counts, the others are dropped.
  void Succeed(const google::protobuf::Message& response);
  void Fail(const Error& error);

  bool wanted();
  void OnAbandoned(std::function<void()> callback);

 private:
  std::optional<ttrpc::Responder> Take();

  const std::string method_;
  const LogLevel level_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::optional<PolicyGate::Admission> admission_;
  // Recursive: an abandoned call's callback may run at once, and answer.
  std::recursive_mutex mutex_;
  std::optional<ttrpc::Responder> responder_;
};

}  // namespace kata_cc::agent
