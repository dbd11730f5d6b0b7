// SPDX-License-Identifier: Apache-2.0
// kata-ccctl: the tool of policy authors, operators and auditors. One subcommand family a file;
// a new family is declared and listed here.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "shim/ctl/commands.h"

namespace {

struct Family {
  std::string_view name;
  kata_cc::ctl::AddCommands add;
};

const std::vector<Family>& Families() {
  static const std::vector<Family> families = {
      {"check", kata_cc::ctl::AddCheckCommands}, {"id-block", kata_cc::ctl::AddIdBlockCommands},
      {"image", kata_cc::ctl::AddImageCommands}, {"measure", kata_cc::ctl::AddMeasureCommands},
      {"rego", kata_cc::ctl::AddRegoCommands},   {"report", kata_cc::ctl::AddReportCommands},
      {"sim", kata_cc::ctl::AddSimCommands},
  };
  return families;
}

// The family that is a program of its own, beside this one: kata-ccctl-layer. Returns on an error.
int RunLayerProgram(int argc, char** argv) {
  std::error_code error;
  const std::string program =
      std::filesystem::read_symlink("/proc/self/exe", error).string() + "-layer";
  std::string name = "kata-ccctl layer";
  std::vector<char*> arguments = {name.data()};
  arguments.insert(arguments.end(), argv + 2, argv + argc);
  arguments.push_back(nullptr);
  ::execv(program.c_str(), arguments.data());
  std::fprintf(stderr, "kata-ccctl: %s: %s: install it beside kata-ccctl\n", program.c_str(),
               std::strerror(errno));
  return kata_cc::ctl::kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "layer") return RunLayerProgram(argc, argv);
  CLI::App app("kata-ccctl: check, measure and explain confidential pods");
  app.require_subcommand(1);
  app.add_subcommand("layer", "image layers and their root hashes");
  int exit_code = 0;
  // Only the one that is asked for, where one is: building them all takes longer than a short
  // command.
  const std::string_view asked = argc > 1 ? argv[1] : "";
  const bool known = std::any_of(Families().begin(), Families().end(),
                                 [&](const Family& family) { return family.name == asked; });
  for (const Family& family : Families()) {
    if (!known || family.name == asked) family.add(app, exit_code);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kata_cc::ctl::kExitUsage;
  }
  return exit_code;
}
