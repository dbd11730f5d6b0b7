// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/pending_call.h"

namespace kata_cc::agent {
namespace {

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace

std::optional<ttrpc::Responder> PendingCall::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(responder_, std::nullopt);
}

void PendingCall::Succeed(const google::protobuf::Message& response) {
  auto responder = Take();
  if (!responder) return;
  if (admission_) {
    const auto committed = admission_->Commit();  // Before the reply: the next request sees it.
    if (!committed) {
      Log(LogLevel::kError, "policy state",
          {{field::kMethod, method_}, {field::kError, committed.error().message()}});
      std::move(*responder).Fail(Error(Code::kInternal, method_ + ": policy state"));
      return;
    }
  }
  std::move(*responder).Reply(response);
  Log(level_, "call", {{field::kMethod, method_}, {field::kDurationMs, MillisecondsSince(start_)}});
}

void PendingCall::Fail(const Error& error) {
  auto responder = Take();
  if (!responder) return;
  admission_.reset();
  std::move(*responder).Fail(error);
  // A denial may quote the request; its line in the log does not.
  const bool denied = error.code() == Code::kPermissionDenied;
  Log(LogLevel::kWarn, "call failed",
      {{field::kMethod, method_},
       {field::kDurationMs, MillisecondsSince(start_)},
       {field::kError, denied ? "blocked by policy" : error.message()}});
}

bool PendingCall::wanted() {
  const std::lock_guard lock(mutex_);
  return responder_ && responder_->wanted();
}

void PendingCall::OnAbandoned(std::function<void()> callback) {
  const std::lock_guard lock(mutex_);
  if (responder_) responder_->OnAbandoned(std::move(callback));
}

}  // namespace kata_cc::agent
