// SPDX-License-Identifier: Apache-2.0
// kata-ccctl rego check, test and explain: what an author asks of a policy.
#include <algorithm>
#include <cstdio>

#include "policy/engine/lint.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/rego.h"
#include "shim/ctl/rego_requests.h"

namespace kata_cc::ctl {
namespace {

using policy::Value;

constexpr std::string_view kNewState = R"({"pstate": {}})";

Result<std::vector<policy::Module>> ReadModules(const std::vector<std::string>& paths) {
  std::vector<policy::Module> modules;
  for (const std::string& path : paths)
    modules.push_back({path, TRY(ReadText(path))});
  return modules;
}

int Fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  return kExitUsage;
}

Result<std::unique_ptr<policy::Engine>> LoadFor(const ExplainArguments& arguments) {
  auto modules = TRY(ReadModules(arguments.policies));
  nlohmann::json data = nlohmann::json::parse(kNewState);
  if (!arguments.policy_data.empty()) {
    if (modules.empty()) return Error(Code::kInvalidArgument, "--policy-data needs a policy");
    modules[0].text += "\npolicy_data := " + TRY(ReadText(arguments.policy_data));
  }
  if (!arguments.data.empty()) data = policy::ToJson(TRY(ReadJson(arguments.data)));
  const policy::Options options = RegoOptions(arguments.dialect);
  return policy::Engine::Load(std::move(modules), std::move(data), options);
}

// The request of a recording, with the state that those before it leave.
Result<Value> Reach(policy::Engine& engine, const ExplainArguments& arguments, std::string& rule) {
  const auto lines = TRY(ReadJsonLines(arguments.requests));
  if (arguments.line == 0 || arguments.line > lines.size()) {
    return Error(Code::kOutOfRange,
                 arguments.requests + ": has " + std::to_string(lines.size()) + " lines");
  }
  const auto part = [](const Value& line, std::string_view key) -> Result<Value> {
    const Value* found = line.is_object() ? line.Find(key) : nullptr;
    if (found == nullptr) return Error(Code::kInvalidArgument, "a line has no " + std::string(key));
    return *found;
  };
  for (std::size_t i = 0;; ++i) {
    const Value kind = TRY_CONTEXT(part(lines[i], "kind"), arguments.requests);
    Value request = TRY_CONTEXT(part(lines[i], "request"), arguments.requests);
    if (!kind.is_string()) return Error(Code::kInvalidArgument, "kind is no string");
    rule = "agent_policy." + std::string(kind.string());
    if (i + 1 == arguments.line) return request;
    const auto answer = engine.Query(rule, policy::ToJson(request));
    if (!answer || !answer->value || !answer->value->is_object()) continue;
    const auto operations = answer->value->find("ops");
    if (operations != answer->value->end()) TRY(engine.PatchData(*operations));
  }
}

bool IsAllowed(const policy::Answer& answer) {
  if (!answer.value) return false;
  if (answer.value->is_object() && answer.value->contains("allowed")) {
    return (*answer.value)["allowed"] == true;
  }
  return *answer.value != false;
}

}  // namespace

int RunRegoCheck(const CheckArguments& arguments) {
  auto modules = ReadModules(arguments.policies);
  if (!modules) return Fail(modules.error());
  const policy::Options options = RegoOptions(arguments.dialect);
  policy::LintOptions lint;
  lint.package = arguments.package;
  lint.asked = RulesThatAreAsked();
  const auto findings = policy::Lint(*std::move(modules), lint, options);
  if (!findings) return Fail(findings.error());
  for (const std::string& finding : *findings)
    std::printf("%s\n", finding.c_str());
  if (findings->empty()) std::printf("no findings\n");
  return findings->empty() ? 0 : kExitNo;
}

int RunRegoTest(const TestArguments& arguments) {
  auto modules = ReadModules(arguments.policies);
  if (!modules) return Fail(modules.error());
  const policy::Options options = RegoOptions(arguments.dialect);
  nlohmann::json data = nlohmann::json::object();
  if (!arguments.data.empty()) {
    const auto given = ReadJson(arguments.data);
    if (!given) return Fail(given.error());
    data = policy::ToJson(*given);
  }
  const auto engine = policy::Engine::Load(*std::move(modules), std::move(data), options);
  if (!engine) return Fail(engine.error());
  std::size_t passed = 0;
  std::size_t failed = 0;
  policy::Engine::Lines reached;
  for (const auto& path : (*engine)->RulesNamed("test_")) {
    std::string name = "data";
    for (const std::string& part : path)
      name += "." + part;
    const auto value = (*engine)->Cover(path, reached);
    const bool good = value && *value && !(*value)->is_false();
    (good ? passed : failed) += 1;
    if (!good) {
      std::printf("failed %s%s%s\n", name.c_str(), value ? "" : ": ",
                  value ? "" : value.error().message().c_str());
    }
  }
  if (arguments.coverage) {
    for (const auto& [module, lines] : (*engine)->CoverableLines()) {
      const auto& here = reached[module];
      std::string missed;
      std::size_t covered = 0;
      for (const std::uint32_t line : lines) {
        if (here.contains(line)) {
          ++covered;
        } else {
          missed += " " + std::to_string(line);
        }
      }
      std::printf("%s: %zu of %zu lines%s%s\n", module.c_str(), covered, lines.size(),
                  missed.empty() ? "" : ", not", missed.c_str());
    }
  }
  std::printf("%zu passed, %zu failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : kExitNo;
}

int RunRegoExplain(const ExplainArguments& arguments) {
  const auto engine = LoadFor(arguments);
  if (!engine) return Fail(engine.error());
  std::string rule = arguments.rule;
  Result<Value> input = Value();
  if (!arguments.requests.empty()) {
    input = Reach(**engine, arguments, rule);
  } else if (!arguments.input.empty()) {
    input = ReadJson(arguments.input);
  }
  if (!input) return Fail(input.error());
  if (rule.empty()) return Fail(Error(Code::kInvalidArgument, "a rule or --requests is needed"));
  if (rule.find('.') == std::string::npos) rule = "agent_policy." + rule;
  const nlohmann::json json = policy::ToJson(*input);
  const auto answer = (*engine)->Query(rule, json);
  if (answer && IsAllowed(*answer)) {
    std::printf("%s allows it\n", rule.c_str());
    return 0;
  }
  if (!answer) {
    std::printf("%s: %s\n", rule.c_str(), answer.error().message().c_str());
    return kExitNo;
  }
  const auto lines = (*engine)->Explain(rule, json);
  if (!lines) return Fail(lines.error());
  for (const std::string& line : *lines)
    std::printf("%s\n", line.c_str());
  return kExitNo;
}

}  // namespace kata_cc::ctl
