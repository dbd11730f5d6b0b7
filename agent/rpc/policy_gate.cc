// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/policy_gate.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/rpc/input_document.h"
#include "agent/rpc/request_ids.h"
#include "policy/engine/engine.h"

namespace kata_cc::agent {

using google::protobuf::Message;
using nlohmann::json;

namespace {

constexpr std::string_view kPackage = "agent_policy.";
constexpr std::size_t kMaxEnded = 65'536;

// A rule of the policy itself: true, or false when it is not defined. Anything else is an error.
Result<bool> Setting(policy::Engine& engine, std::string_view name) {
  const policy::Answer answer =
      TRY_CONTEXT(engine.Query(std::string(kPackage) + std::string(name), json::object()),
                  "policy: " + std::string(name));
  if (!answer.value) return false;
  if (!answer.value->is_boolean()) {
    return Error(Code::kInvalidArgument, "policy: " + std::string(name) + " is no boolean");
  }
  return answer.value->get<bool>();
}

// A denial with its reasons, each on a line, up to a limit.
Error Explained(const std::vector<std::string>& lines) {
  constexpr std::size_t kMostBytes = 16U << 10;
  std::string text;
  for (const std::string& line : lines) {
    if (text.size() + line.size() > kMostBytes) break;
    text += (text.empty() ? "" : "\n") + line;
  }
  return {Code::kPermissionDenied, std::move(text)};
}

}  // namespace

const std::string_view kDefaultPolicy =
    "package agent_policy\n"
    "default SetPolicyRequest := true\n";

struct PolicyGate::Policy {
  std::string text;
  std::unique_ptr<policy::Engine> engine;
  bool blank_denied_reads = false;
  bool explain_denials = false;  // To the host, which else learns the request's name only.
};

PolicyGate::PolicyGate() = default;
PolicyGate::~PolicyGate() = default;

Result<std::unique_ptr<PolicyGate::Policy>> PolicyGate::Load(std::string text) {
  if (text.size() > kMaxPolicyBytes) {
    return Error(Code::kInvalidArgument,
                 "policy: larger than " + std::to_string(kMaxPolicyBytes) + " bytes");
  }
  auto out = std::make_unique<Policy>();
  out->text = text;
  auto engine =
      policy::Engine::Load({{"policy.rego", std::move(text)}}, json{{"pstate", json::object()}});
  if (!engine) return Error(Code::kInvalidArgument, "policy: " + engine.error().message());
  out->engine = std::move(*engine);
  // Kata's debug switch: everything passes, whatever the rules say. No owner of a confidential pod
  // can mean that, so such a policy is not taken at all.
  const auto allow_failing = Setting(*out->engine, "AllowRequestsFailingPolicy");
  if (!allow_failing || *allow_failing) {
    return Error(Code::kInvalidArgument, "policy: AllowRequestsFailingPolicy is not supported");
  }
  const auto blank = Setting(*out->engine, "ReadStreamDeniedAsEmpty");
  if (!blank) return Error(Code::kInvalidArgument, blank.error().message());
  out->blank_denied_reads = *blank;
  const auto explain = Setting(*out->engine, "explain_denials");
  if (!explain) return Error(Code::kInvalidArgument, explain.error().message());
  out->explain_denials = *explain;
  return out;
}

Result<std::unique_ptr<PolicyGate>> PolicyGate::Create(std::string policy) {
  std::unique_ptr<PolicyGate> gate(new PolicyGate);
  gate->policy_ = TRY(Load(std::move(policy)));
  return gate;
}

// The verdict of the rule alone. The mutex is held.
Result<Verdict> PolicyGate::Decide(const std::string& name, const json& input,
                                   std::string_view container_id) {
  const std::string path = std::string(kPackage) + name;
  auto answer = policy_->engine->Query(path, input);
  if (!answer) {
    if (!policy_->explain_denials) return Denial(name, "its evaluation failed.", {});
    return Denial(name, "its evaluation failed: " + answer.error().message(), {});
  }
  if (!policy_->explain_denials) answer->prints = {};
  auto verdict = ReadVerdict(name, *answer, container_id);
  if (verdict || !policy_->explain_denials) return verdict;
  const auto reasons = policy_->engine->Explain(path, input);
  if (!reasons) return verdict;
  std::vector<std::string> lines = {verdict.error().message()};
  lines.insert(lines.end(), reasons->begin(), reasons->end());
  return Explained(lines);
}

// The operation that makes the state what it is to be; the engine is left as it was. The mutex is
// held.
Result<json> PolicyGate::StateAfter(const Verdict& verdict, const std::string& container_id) {
  policy::Engine& engine = *policy_->engine;
  const auto replace = [](json state) {
    return json::array({{{"op", "replace"}, {"path", "/pstate"}, {"value", std::move(state)}}});
  };
  policy::Answer before = TRY(engine.Query("pstate", nullptr));
  if (!before.value) return Error(Code::kInternal, "policy: no state");
  // The id is new to the gate, so a key of that name is one of the policy's own.
  if (verdict.entry && before.value->contains(container_id) && !live_.contains(container_id)) {
    return Error(Code::kInvalidArgument, "the container's id is a key of the state");
  }
  TRY(engine.PatchData(verdict.operations));
  Result<policy::Answer> after = engine.Query("pstate", nullptr);
  TRY(engine.PatchData(replace(*std::move(before.value))));
  if (!after) return std::move(after).error();
  if (!after->value || !after->value->is_object()) {
    return Error(Code::kInvalidArgument, "policy: the state would be no object");
  }
  return replace(*std::move(after->value));
}

// Keeps id for the container that admission creates. The mutex is held.
Result<void> PolicyGate::Reserve(const std::string& id, const Verdict& verdict,
                                 Admission& admission) {
  const std::string name = "CreateContainerRequest";
  if (live_.contains(id) || ended_.contains(id)) {
    return Error(Code::kAlreadyExists, name + ": container " + id + " exists, or did");
  }
  if (ended_.size() >= kMaxEnded) {
    return Error(Code::kResourceExhausted, name + ": too many containers in this sandbox's life");
  }
  if (verdict.entry) {
    const auto running = std::count_if(live_.begin(), live_.end(), [&](const auto& container) {
      return container.second == verdict.entry;
    });
    if (running >= verdict.max_instances) {
      return Denial(name, "the container of the policy that it matches already exists", {});
    }
  }
  live_.emplace(id, verdict.entry);
  admission.created_ = id;
  return {};
}

Result<PolicyGate::Admission> PolicyGate::Admit(const Message& request, const Limits& limits) {
  const std::string& name = request.GetDescriptor()->name();
  TRY(RefuseUnknownFields(request));
  TRY(CheckRequestIds(request));
  const json input = TRY(InputDocument(request));
  const std::string container_id(ContainerIdOf(request));

  std::unique_lock lock(mutex_);
  Result<Verdict> verdict = Decide(name, input, container_id);
  // Changes of state take turns: the next is decided on the state that the last one left.
  while (verdict && !verdict->operations.empty() && limits.may_change_state && in_transaction_) {
    const auto ended = [this] { return !in_transaction_; };
    if (!limits.deadline) {
      transaction_ended_.wait(lock, ended);
    } else if (!transaction_ended_.wait_until(lock, *limits.deadline, ended)) {
      return Error(Code::kDeadlineExceeded, name + ": another request is changing the state");
    }
    verdict = Decide(name, input, container_id);
  }
  Admission admission(*this);
  admission.generation_ = generation_;
  if (!verdict) {
    if (name != "ReadStreamRequest" || !policy_->blank_denied_reads) return verdict.error();
    admission.blank_ = true;
    return Result<Admission>(std::move(admission));
  }
  std::optional<json> new_state;
  if (!verdict->operations.empty()) {
    if (!limits.may_change_state) {
      return Denial(name, "its rule changes the state, which this request cannot", {});
    }
    auto after = StateAfter(*verdict, container_id);
    if (!after) return Denial(name, "its state changes failed: " + after.error().message(), {});
    new_state = *std::move(after);
  }
  if (name == "CreateContainerRequest") {
    const auto reserved = Reserve(container_id, *verdict, admission);
    if (!reserved) return reserved.error();
  } else if (name == "RemoveContainerRequest") {
    admission.removed_ = container_id;
  }
  if (new_state) {
    admission.new_state_ = std::move(new_state);
    in_transaction_ = true;
  }
  return Result<Admission>(std::move(admission));
}

Result<void> PolicyGate::Replace(const Admission& admission, std::string text) {
  {
    const std::lock_guard lock(mutex_);
    if (generation_ == admission.generation_ && policy_->text == text) return {};
  }
  auto policy = TRY(Load(std::move(text)));  // Without the lock: it takes a while.
  std::unique_lock lock(mutex_);
  transaction_ended_.wait(lock, [this] { return !in_transaction_; });
  if (generation_ != admission.generation_) {
    return Denial("SetPolicyRequest", "the policy that allowed it is no longer in force", {});
  }
  policy_ = std::move(policy);
  ++generation_;
  for (auto& [id, entry] : live_)
    entry.reset();  // Entries of another policy mean nothing to this one.
  lock.unlock();
  if (on_replaced_) on_replaced_();
  return {};
}

bool PolicyGate::Allows(std::string_view rule, const json& input) {
  const std::lock_guard lock(mutex_);
  const auto answer = policy_->engine->Query(std::string(kPackage) + std::string(rule), input);
  return answer && answer->value && *answer->value == true;
}

PolicyGate::Admission::Admission(Admission&& other) noexcept
    : gate_(std::exchange(other.gate_, nullptr)),
      blank_(other.blank_),
      generation_(other.generation_),
      new_state_(std::exchange(other.new_state_, std::nullopt)),
      created_(std::exchange(other.created_, {})),
      removed_(std::exchange(other.removed_, {})) {}

PolicyGate::Admission::~Admission() {
  if (gate_ != nullptr) gate_->Drop(*this);
}

Result<void> PolicyGate::Admission::Commit() {
  PolicyGate& gate = *std::exchange(gate_, nullptr);
  const std::lock_guard lock(gate.mutex_);
  if (!removed_.empty() && gate.live_.erase(removed_) > 0) gate.ended_.insert(removed_);
  if (!new_state_) return {};
  gate.in_transaction_ = false;
  gate.transaction_ended_.notify_all();
  return gate.policy_->engine->PatchData(*new_state_);
}

void PolicyGate::Drop(Admission& admission) {
  if (admission.created_.empty() && !admission.new_state_) return;
  const std::lock_guard lock(mutex_);
  live_.erase(admission.created_);
  if (!admission.new_state_) return;
  in_transaction_ = false;
  transaction_ended_.notify_all();
}

}  // namespace kata_cc::agent
