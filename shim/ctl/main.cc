// SPDX-License-Identifier: Apache-2.0
// kata-ccctl: the tool of policy authors, operators and auditors. One subcommand family a file;
// a new family is declared and listed here.
#include <CLI/CLI.hpp>
#include <vector>

#include "shim/ctl/commands.h"

namespace {

const std::vector<kata_cc::ctl::AddCommands>& Families() {
  static const std::vector<kata_cc::ctl::AddCommands> families = {
      kata_cc::ctl::AddCheckCommands,   kata_cc::ctl::AddIdBlockCommands,
      kata_cc::ctl::AddImageCommands,   kata_cc::ctl::AddLayerCommands,
      kata_cc::ctl::AddMeasureCommands, kata_cc::ctl::AddRegoCommands,
      kata_cc::ctl::AddReportCommands,  kata_cc::ctl::AddSimCommands,
  };
  return families;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("kata-ccctl: check, measure and explain confidential pods");
  app.require_subcommand(1);
  int exit_code = 0;
  for (const auto add : Families())
    add(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kata_cc::ctl::kExitUsage;
  }
  return exit_code;
}
