// SPDX-License-Identifier: Apache-2.0
// The families of kata-ccctl's subcommands. Each Add... function lives in a file of its own,
// registers its subcommands on the application, and has their callbacks set the exit code:
// 0 done, 1 the answer is no (a failed case, a denial, an undefined value), 2 bad usage or input.
#pragma once

namespace CLI {
class App;
}

namespace kata_cc::ctl {

inline constexpr int kExitNo = 1;
inline constexpr int kExitUsage = 2;

// Both arguments must outlive the parsing of the command line.
using AddCommands = void (*)(CLI::App& app, int& exit_code);

void AddCheckCommands(CLI::App& app, int& exit_code);
void AddIdBlockCommands(CLI::App& app, int& exit_code);
void AddImageCommands(CLI::App& app, int& exit_code);
void AddMeasureCommands(CLI::App& app, int& exit_code);
void AddRegoCommands(CLI::App& app, int& exit_code);
void AddReportCommands(CLI::App& app, int& exit_code);
void AddSimCommands(CLI::App& app, int& exit_code);

}  // namespace kata_cc::ctl
