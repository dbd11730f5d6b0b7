// SPDX-License-Identifier: Apache-2.0
// Options: how the agent is run. As PID 1 they come from the kernel command line alone; elsewhere
// (tests, a Kata client's conformance run) from arguments and Kata's environment variables.
#pragma once

#include <optional>
#include <string>

#include "agent/attest/host_data.h"
#include "agent/boot/kernel_command_line.h"
#include "agent/container/container_service.h"
#include "base/log.h"
#include "base/result.h"

namespace kata_cc::agent {

struct Options {
  bool init = false;
  Tee tee = Tee::kSnp;
  Transport transport = Transport::kVsock;
  LogLevel log_level = LogLevel::kInfo;
  ContainerPaths paths;

  // Never as PID 1.
  std::string listen;                 // unix:///path or unix://@name
  std::optional<HostData> host_data;  // Stands for a report's.
  std::string policy_file;            // In place of the built-in policy.
  std::string initdata_file;          // In place of a block device.
  int api_port = 0;                   // Of the local API; 0: there is none.
  std::string secrets_program;        // kata-cc-secrets.
  std::string sim_socket;             // The simulator's, and its reports are the guest's.
};

constexpr const char* kUsage =
    "usage: kata-cc-agent --listen unix:///PATH [--policy FILE] [--initdata FILE]\n"
    "         [--host-data HEX | --sim-socket PATH] [--log debug|info|warn|error]\n"
    "         [--api-port PORT] [--secrets FILE] [--run-dir DIR] [--crun FILE] [--crun-root DIR] "
    "[--cgroup-root "
    "DIR]\n"
    "KATA_AGENT_SERVER_ADDR and KATA_AGENT_POLICY_FILE stand for --listen and --policy.\n";

Options OptionsOf(const KernelCommandLine& line);

// InvalidArgument on what it does not know.
Result<Options> ParseOptions(int argc, char** argv);

}  // namespace kata_cc::agent
