// SPDX-License-Identifier: Apache-2.0
#include "agent/options.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string_view>
#include <system_error>
#include <utility>

namespace kata_cc::agent {
namespace {

constexpr int kApiPort = 8006;  // As CoCo's api-server-rest.

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

// That of the folder that this program is in.
std::string ProgramBeside(const char* name) {
  std::error_code error;
  return (std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / name).string();
}

using Setter = std::function<Result<void>(std::string value)>;

Setter Into(std::string& target) {
  return [&target](std::string value) {
    target = std::move(value);
    return Result<void>();
  };
}

}  // namespace

Options OptionsOf(const KernelCommandLine& line) {
  Options out;
  out.init = true;
  out.tee = line.tee;
  out.transport = line.transport;
  out.log_level = line.log_level;
  out.api_port = kApiPort;
  out.secrets_program = "/usr/bin/kata-cc-secrets";
  out.paths.resolv_conf = "/etc/resolv.conf";
  out.paths.proc_sys = "/proc/sys";
  out.paths.verified_only = line.tee != Tee::kNone;
  return out;
}

Result<Options> ParseOptions(int argc, char** argv) {
  Options out;
  out.tee = Tee::kNone;
  out.listen = Environment("KATA_AGENT_SERVER_ADDR");
  out.policy_file = Environment("KATA_AGENT_POLICY_FILE");
  const std::map<std::string_view, Setter> known = {
      {"--listen", Into(out.listen)},
      {"--policy", Into(out.policy_file)},
      {"--initdata", Into(out.initdata_file)},
      {"--sim-socket",
       [&out](std::string value) -> Result<void> {
         out.sim_socket = std::move(value);
         out.tee = Tee::kSim;
         return {};
       }},
      {"--api-port",
       [&out](const std::string& value) -> Result<void> {
         const char* const end = value.data() + value.size();
         const auto parsed = std::from_chars(value.data(), end, out.api_port);
         if (parsed.ec != std::errc() || parsed.ptr != end || out.api_port < 1 ||
             out.api_port > 65535) {
           return Error(Code::kInvalidArgument, "not a port");
         }
         return {};
       }},
      {"--secrets", Into(out.secrets_program)},
      {"--run-dir", Into(out.paths.run_dir)},
      {"--crun", Into(out.paths.crun)},
      {"--crun-root", Into(out.paths.crun_root)},
      {"--cgroup-root", Into(out.paths.cgroup_root)},
      {"--host-data",
       [&out](const std::string& value) -> Result<void> {
         out.host_data = TRY(ParseHostData(value));
         return {};
       }},
      {"--log",
       [&out](const std::string& value) -> Result<void> {
         out.log_level = TRY(ParseLogLevel(value));
         return {};
       }},
  };
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    const std::size_t equals = name.find('=');
    std::string value;
    if (equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      return Error(Code::kInvalidArgument, std::string(name) + ": has no value");
    }
    const auto it = known.find(name);
    if (it == known.end()) {
      return Error(Code::kInvalidArgument, std::string(name) + ": unknown option");
    }
    TRY_CONTEXT(it->second(std::move(value)), std::string(name));
  }
  if (out.host_data && out.tee == Tee::kSim) {
    return Error(Code::kInvalidArgument, "--host-data: the simulator's reports say it");
  }
  if (out.secrets_program.empty()) out.secrets_program = ProgramBeside("kata-cc-secrets");
  if (out.listen.empty()) return Error(Code::kInvalidArgument, "--listen: missing");
  return out;
}

}  // namespace kata_cc::agent
