// SPDX-License-Identifier: Apache-2.0
// The commands of kata-ccctl rego. Each returns the exit code (commands.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/engine/engine.h"

namespace kata_cc::ctl {

// Whole files, and JSON files with their numbers' text kept.
Result<std::string> ReadText(const std::string& path);
Result<policy::Value> ReadJson(const std::string& path);
// Lines of JSON.
Result<std::vector<policy::Value>> ReadJsonLines(const std::string& path);

// Sets as arrays and keys as text: what a value is when it has been JSON.
policy::Value AsJson(const policy::Value& value);

struct RegoDialect {
  bool v0 = false;
  bool v1 = false;
  policy::Dialect dialect() const {
    return v0 ? policy::Dialect::kV0 : (v1 ? policy::Dialect::kV1 : policy::Dialect::kAuto);
  }
};

// With every builtin that there is.
policy::Options RegoOptions(const RegoDialect& dialect);

// Runs the case files of a folder; prints the failed and refused cases and "N passed, M failed".
int RunRegoConformance(const std::string& folder, bool verbose);

struct ReplayArguments {
  std::vector<std::string> folders;
  std::string rules;  // With policy_data.json instead of policy.rego.
  RegoDialect dialect;
  bool timing = false;
};
int RunRegoReplay(const ReplayArguments& arguments);

struct EvalArguments {
  std::vector<std::string> policies;
  std::string data;
  std::string input;
  std::string query;
  RegoDialect dialect;
  bool strict = false;
  bool fail = false;
};
int RunRegoEval(const EvalArguments& arguments);

struct CheckArguments {
  std::vector<std::string> policies;
  std::string package = "agent_policy";
  RegoDialect dialect;
};
// Findings, or "no findings"; exit code 1 when there are any.
int RunRegoCheck(const CheckArguments& arguments);

struct TestArguments {
  std::vector<std::string> policies;
  std::string data;
  RegoDialect dialect;
  bool coverage = false;
};
// Runs every test_* rule, prints the failed ones and "N passed, M failed".
int RunRegoTest(const TestArguments& arguments);

struct ExplainArguments {
  std::vector<std::string> policies;
  std::string policy_data;
  std::string data;
  std::string input;
  std::string requests;
  std::size_t line = 0;
  std::string rule;
  RegoDialect dialect;
};
// Exit code 0: it is allowed. 1: it is not, and why is printed.
int RunRegoExplain(const ExplainArguments& arguments);

}  // namespace kata_cc::ctl
