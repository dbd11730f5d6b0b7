// SPDX-License-Identifier: Apache-2.0
// PolicyGate: decides, by the pod owner's policy, whether a request of the host may reach its
// handler. Rule names, input and results are Kata's; where Kata lets something pass that no rule
// vouches for, this refuses (docs/policy.md).
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "agent/rpc/verdict.h"
#include "base/result.h"

namespace kata_cc::agent {

constexpr std::size_t kMaxPolicyBytes = 2U << 20;

// Allows SetPolicyRequest and nothing else.
extern const std::string_view kDefaultPolicy;

// Any thread, all of it. Evaluations run one at a time.
class PolicyGate {
 public:
  // A policy that the gate takes: Rego, at most kMaxPolicyBytes, and not one that would have
  // failing requests allowed. InvalidArgument with line and column otherwise.
  static Result<std::unique_ptr<PolicyGate>> Create(std::string policy);
  PolicyGate(const PolicyGate&) = delete;
  PolicyGate& operator=(const PolicyGate&) = delete;
  ~PolicyGate();

  // A request that may run. What the decision changes takes effect with Commit(), which the caller
  // makes when the request succeeded; dropped without it, nothing changes. The gate outlives it.
  class Admission {
   public:
    Admission(Admission&& other) noexcept;
    Admission& operator=(Admission&&) = delete;
    ~Admission();

    Result<void> Commit();  // Once.

    // The policy denies the reading, and wants an empty answer instead of a refusal.
    bool blank() const { return blank_; }

   private:
    friend class PolicyGate;
    explicit Admission(PolicyGate& gate) : gate_(&gate) {}

    PolicyGate* gate_;  // Null: committed, or moved from.
    bool blank_ = false;
    std::uint64_t generation_ = 0;
    std::optional<nlohmann::json> new_state_;  // Holds the gate's state transaction.
    std::string created_;                      // The container that a success brings to life.
    std::string removed_;                      // The container that a success ends.
  };

  struct Limits {
    // False where success is not known soon: a decision with state changes is then a denial.
    bool may_change_state = true;
    std::optional<std::chrono::steady_clock::time_point> deadline;
  };

  // InvalidArgument: ids or fields that no policy can judge. PermissionDenied: "<message name> is
  // blocked by policy: <why>", also when the rule is undefined or its evaluation fails.
  Result<Admission> Admit(const google::protobuf::Message& request, const Limits& limits);

  // Puts text in place of the policy that admitted the request; the state starts anew, unless the
  // text is the same. PermissionDenied if that policy was replaced in the meantime.
  Result<void> Replace(const Admission& admission, std::string text);

  // Whether a rule of the policy is true for input: of what is no request of the host's. Undefined,
  // failing or anything but true: no.
  bool Allows(std::string_view rule, const nlohmann::json& input);

  // Before the first request: runs after each Replace that put another policy in force.
  void OnReplaced(std::function<void()> callback) { on_replaced_ = std::move(callback); }

 private:
  struct Policy;
  PolicyGate();

  static Result<std::unique_ptr<Policy>> Load(std::string text);
  Result<Verdict> Decide(const std::string& name, const nlohmann::json& input,
                         std::string_view container_id);
  Result<nlohmann::json> StateAfter(const Verdict& verdict, const std::string& container_id);
  Result<void> Reserve(const std::string& id, const Verdict& verdict, Admission& admission);
  void Drop(Admission& admission);

  std::function<void()> on_replaced_;
  std::mutex mutex_;
  std::condition_variable transaction_ended_;
  bool in_transaction_ = false;
  std::uint64_t generation_ = 1;  // Of the policy.
  std::unique_ptr<Policy> policy_;

  // Containers by id. An id is used once; an entry of the policy has one container at a time.
  std::map<std::string, std::optional<nlohmann::json>> live_;  // Or about to be.
  std::set<std::string> ended_;
};

}  // namespace kata_cc::agent
