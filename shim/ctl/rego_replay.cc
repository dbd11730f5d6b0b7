// SPDX-License-Identifier: Apache-2.0
// kata-ccctl rego replay: recorded requests, and single-change variants of them, against the policy
// that they were recorded with. The agent's reading of an answer, without what it adds to it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>

#include "policy/engine/patch.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/rego.h"

namespace kata_cc::ctl {
namespace {

using policy::Value;

constexpr std::string_view kNewState = R"({"pstate": {}})";

struct Outcome {
  bool allowed = false;
  std::optional<Value> operations;
  std::string error;
};

class Replay {
 public:
  explicit Replay(const ReplayArguments& arguments) : arguments_(arguments) {}

  Result<void> Folder(const std::string& folder) {
    const auto requests = TRY(ReadJsonLines(folder + "/requests.jsonl"));
    TRY(Load(folder));
    std::vector<Value> states;  // Before each request.
    for (std::size_t i = 0; i < requests.size(); ++i) {
      states.push_back(State());
      const Outcome outcome = Decide(requests[i], *requests[i].Find("request"));
      Judge(folder + "/requests.jsonl:" + std::to_string(i + 1), requests[i], outcome);
      if (outcome.operations) {
        const auto patched = engine_->PatchData(policy::ToJson(*outcome.operations));
        if (!patched) std::printf("%s: %s\n", folder.c_str(), patched.error().message().c_str());
      }
    }
    if (!std::filesystem::exists(folder + "/mutations.jsonl")) return {};
    const auto mutations = TRY(ReadJsonLines(folder + "/mutations.jsonl"));
    for (std::size_t i = 0; i < mutations.size(); ++i) {
      const auto base = static_cast<std::size_t>(mutations[i].Find("base")->small_int());
      if (base >= requests.size()) return Error(Code::kInvalidArgument, folder + ": bad base");
      TRY(SetState(states[base]));
      auto request =
          policy::ApplyPatch(*requests[base].Find("request"), *mutations[i].Find("patch"));
      if (!request) return std::move(request).error().With(folder);
      Judge(folder + "/mutations.jsonl:" + std::to_string(i + 1), mutations[i],
            Decide(mutations[i], *request));
    }
    return {};
  }

  int Finish() const {
    if (arguments_.timing) {
      for (const auto& [kind, times] : times_) {
        std::vector<double> sorted = times;
        std::sort(sorted.begin(), sorted.end());
        std::printf("%-28s %5zu  median %9.1f us  max %9.1f us\n", kind.c_str(), sorted.size(),
                    sorted[sorted.size() / 2], sorted.back());
      }
      std::printf("load, median %.2f ms\n", load_ms_.empty() ? 0.0 : load_ms_[load_ms_.size() / 2]);
    }
    std::printf("%zu passed, %zu failed\n", passed_, failed_);
    return failed_ == 0 ? 0 : kExitNo;
  }

 private:
  Result<void> Load(const std::string& folder) {
    std::string text;
    if (arguments_.rules.empty()) {
      text = TRY(ReadText(folder + "/policy.rego"));
    } else {
      text = TRY(ReadText(arguments_.rules));
      text += "\npolicy_data := " + TRY(ReadText(folder + "/policy_data.json"));
    }
    const policy::Options options = RegoOptions(arguments_.dialect);
    const auto start = std::chrono::steady_clock::now();
    engine_ = TRY(policy::Engine::Load({{folder + "/policy.rego", std::move(text)}},
                                       nlohmann::json::parse(kNewState), options));
    load_ms_.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
    std::sort(load_ms_.begin(), load_ms_.end());
    return {};
  }

  Value State() {
    const auto state = engine_->Evaluate({"pstate"}, std::nullopt);
    return state && *state ? **state : Value::Object({});
  }

  Result<void> SetState(const Value& state) {
    return engine_->PatchData(nlohmann::json::array(
        {{{"op", "replace"}, {"path", "/pstate"}, {"value", policy::ToJson(state)}}}));
  }

  // data.agent_policy.<kind>: a boolean, or {"allowed": bool, "ops": [...]}.
  Outcome Decide(const Value& line, const Value& request) {
    const std::string kind(line.Find("kind")->string());
    const nlohmann::json input = policy::ToJson(request);
    const auto start = std::chrono::steady_clock::now();
    const auto answer = engine_->Query("agent_policy." + kind, input);
    times_[kind].push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
            .count());
    Outcome out;
    if (!answer) {
      out.error = answer.error().message();
    } else if (answer->value && answer->value->is_boolean()) {
      out.allowed = answer->value->get<bool>();
    } else if (answer->value && answer->value->is_object()) {
      const auto allowed = answer->value->find("allowed");
      out.allowed =
          allowed != answer->value->end() && allowed->is_boolean() && allowed->get<bool>();
      const auto operations = answer->value->find("ops");
      if (out.allowed && operations != answer->value->end()) {
        if (auto value = policy::FromJson(*operations)) out.operations = *std::move(value);
      }
    }
    return out;
  }

  void Judge(const std::string& where, const Value& line, const Outcome& outcome) {
    const Value* allowed = line.Find("allowed");
    if (allowed != nullptr && allowed->is_true() == outcome.allowed) {
      ++passed_;
      return;
    }
    ++failed_;
    std::printf("failed %s (%s): %s%s%s\n", where.c_str(),
                std::string(line.Find("kind")->string()).c_str(),
                outcome.allowed ? "allowed" : "denied", outcome.error.empty() ? "" : ": ",
                outcome.error.c_str());
  }

  const ReplayArguments& arguments_;
  std::unique_ptr<policy::Engine> engine_;
  std::size_t passed_ = 0;
  std::size_t failed_ = 0;
  std::map<std::string, std::vector<double>> times_;
  std::vector<double> load_ms_;
};

}  // namespace

int RunRegoReplay(const ReplayArguments& arguments) {
  Replay replay(arguments);
  for (const std::string& folder : arguments.folders) {
    const auto result = replay.Folder(folder);
    if (!result) {
      std::fprintf(stderr, "%s\n", result.error().message().c_str());
      return kExitUsage;
    }
  }
  return replay.Finish();
}

}  // namespace kata_cc::ctl
