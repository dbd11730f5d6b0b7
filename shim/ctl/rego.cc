// SPDX-License-Identifier: Apache-2.0
// kata-ccctl rego: run, check, test and explain policies, offline.
#include <CLI/CLI.hpp>
#include <memory>

#include "shim/ctl/commands.h"
#include "shim/ctl/rego.h"

namespace kata_cc::ctl {
namespace {

void AddDialect(CLI::App& command, RegoDialect& dialect) {
  auto* v0 = command.add_flag("--v0", dialect.v0, "read the policies as Rego v0");
  command.add_flag("--v1", dialect.v1, "read the policies as Rego v1")->excludes(v0);
}

void AddConformance(CLI::App& rego, int& exit_code) {
  struct Arguments {
    std::string folder;
    bool verbose = false;
  };
  auto arguments = std::make_shared<Arguments>();
  auto* command = rego.add_subcommand("conformance", "run the case files of a folder");
  command->add_option("DIR", arguments->folder, "folder of *.json case files")->required();
  command->add_flag("--verbose", arguments->verbose, "say what was wanted and what came");
  command->callback([arguments, &exit_code] {
    exit_code = RunRegoConformance(arguments->folder, arguments->verbose);
  });
}

void AddReplay(CLI::App& rego, int& exit_code) {
  auto arguments = std::make_shared<ReplayArguments>();
  auto* command = rego.add_subcommand("replay", "run recorded requests against their policies");
  command->add_option("DIR", arguments->folders, "folders with policy.rego and requests.jsonl")
      ->required();
  command->add_option("--rules", arguments->rules,
                      "rules to which each folder's policy_data.json is added");
  command->add_flag("--timing", arguments->timing, "print the time of each kind of request");
  AddDialect(*command, arguments->dialect);
  command->callback([arguments, &exit_code] { exit_code = RunRegoReplay(*arguments); });
}

void AddEval(CLI::App& rego, int& exit_code) {
  auto arguments = std::make_shared<EvalArguments>();
  auto* command = rego.add_subcommand("eval", "evaluate a query");
  command->add_option("-p,--policy", arguments->policies, "Rego files");
  command->add_option("-d,--data", arguments->data, "JSON file: the data document");
  command->add_option("-i,--input", arguments->input, "JSON file: the input document");
  command->add_flag("--strict", arguments->strict, "a failing builtin is an error");
  command->add_flag("--fail", arguments->fail, "exit with 1 when the query is undefined");
  AddDialect(*command, arguments->dialect);
  command->add_option("QUERY", arguments->query, "the query")->required();
  command->callback([arguments, &exit_code] { exit_code = RunRegoEval(*arguments); });
}

void AddCheck(CLI::App& rego, int& exit_code) {
  auto arguments = std::make_shared<CheckArguments>();
  auto* command = rego.add_subcommand("check", "compile policies, and find what is likely wrong");
  command->add_option("POLICY", arguments->policies, "Rego files")->required();
  command->add_option("--package", arguments->package, "the package that the agent asks");
  AddDialect(*command, arguments->dialect);
  command->callback([arguments, &exit_code] { exit_code = RunRegoCheck(*arguments); });
}

void AddTest(CLI::App& rego, int& exit_code) {
  auto arguments = std::make_shared<TestArguments>();
  auto* command = rego.add_subcommand("test", "run the test_* rules");
  command->add_option("POLICY", arguments->policies, "Rego files, with their tests")->required();
  command->add_option("-d,--data", arguments->data, "JSON file: the data document");
  command->add_flag("--coverage", arguments->coverage, "print the lines that no test reached");
  AddDialect(*command, arguments->dialect);
  command->callback([arguments, &exit_code] { exit_code = RunRegoTest(*arguments); });
}

void AddExplain(CLI::App& rego, int& exit_code) {
  auto arguments = std::make_shared<ExplainArguments>();
  auto* command = rego.add_subcommand("explain", "say why a policy denies a request");
  command->add_option("-p,--policy", arguments->policies, "Rego files")->required();
  command->add_option("--policy-data", arguments->policy_data,
                      "JSON file that is policy_data of the first policy");
  command->add_option("-d,--data", arguments->data, "JSON file: the data document");
  auto* requests = command->add_option("--requests", arguments->requests,
                                       "recording (JSON lines of kind and request)");
  command->add_option("--line", arguments->line, "the line of the recording, from 1")
      ->needs(requests);
  command->add_option("-i,--input", arguments->input, "JSON file: the request")->excludes(requests);
  AddDialect(*command, arguments->dialect);
  command->add_option("RULE", arguments->rule, "for --input: CreateContainerRequest");
  command->callback([arguments, &exit_code] { exit_code = RunRegoExplain(*arguments); });
}

}  // namespace

void AddRegoCommands(CLI::App& app, int& exit_code) {
  auto* rego = app.add_subcommand("rego", "run, check, test and explain policies");
  rego->require_subcommand(1);
  AddConformance(*rego, exit_code);
  AddReplay(*rego, exit_code);
  AddEval(*rego, exit_code);
  AddCheck(*rego, exit_code);
  AddTest(*rego, exit_code);
  AddExplain(*rego, exit_code);
}

}  // namespace kata_cc::ctl
