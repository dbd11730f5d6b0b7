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

}  // namespace

void AddRegoCommands(CLI::App& app, int& exit_code) {
  auto* rego = app.add_subcommand("rego", "run, check, test and explain policies");
  rego->require_subcommand(1);
  AddConformance(*rego, exit_code);
  AddReplay(*rego, exit_code);
  AddEval(*rego, exit_code);
}

}  // namespace kata_cc::ctl
