// SPDX-License-Identifier: Apache-2.0
// kata-ccctl sim: the SEV-SNP simulator of machines without it: its keys, its stand-in firmware,
// and its host side for an agent that runs without a VM.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

#include "base/encoding.h"
#include "base/file.h"
#include "base/log.h"
#include "base/unique_fd.h"
#include "guest-image/measure/stand_in.h"
#include "shim/ctl/commands.h"
#include "shim/sim/simulator.h"

namespace kata_cc::ctl {
namespace {

struct SimFlags {
  std::string dir = "/var/lib/kata-cc/sim";
  std::string firmware, socket, host_data;
  shim::SimLaunch launch;
};

Result<void> Init(const SimFlags& flags) {
  TRY(snp::sim::Authority::LoadOrCreate(flags.dir));
  for (const char* name : {"ark.pem", "ask.pem", "vcek.pem"})
    std::printf("%s/%s\n", flags.dir.c_str(), name);
  return {};
}

Result<UniqueFd> Listen(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return Error(Code::kInvalidArgument, "--socket: too long");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, "bind " + path);
  }
  if (::listen(fd.get(), 1) != 0) return ErrnoError(errno, "listen " + path);
  return fd;
}

// One agent at a time; its end ends this.
Result<void> Serve(SimFlags flags) {
  if (!flags.host_data.empty()) {
    const Bytes bytes = TRY_CONTEXT(HexDecode(flags.host_data), "--host-data");
    if (bytes.size() != flags.launch.host_data.size()) {
      return Error(Code::kInvalidArgument, "--host-data: not 64 hex digits");
    }
    std::copy(bytes.begin(), bytes.end(), flags.launch.host_data.begin());
  }
  const snp::sim::Launch launch = TRY(shim::MeasureSimLaunch(flags.launch));
  auto authority = TRY(snp::sim::Authority::LoadOrCreate(flags.dir));
  const shim::Simulator simulator(std::move(authority), launch);
  const UniqueFd listener = TRY(Listen(flags.socket));
  std::printf("%s\n", HexEncode(launch.measurement).c_str());
  std::fflush(stdout);
  const UniqueFd agent(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const int error_number = errno;
  ::unlink(flags.socket.c_str());
  if (!agent.valid()) return ErrnoError(error_number, "accept");
  return simulator.Serve(agent.get());
}

void Run(const char* name, const Result<void>& done, int& exit_code) {
  if (done) return;
  std::fprintf(stderr, "kata-ccctl sim %s: %s\n", name, done.error().message().c_str());
  exit_code = kExitUsage;
}

}  // namespace

void AddSimCommands(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<SimFlags>();
  CLI::App* family =
      app.add_subcommand("sim", "The SEV-SNP simulator: for tests, protects nothing");
  family->require_subcommand(1);

  CLI::App* init = family->add_subcommand("init", "Make the simulator's keys, if there are none");
  init->add_option("--dir", flags->dir, "Where they are")->capture_default_str();
  init->callback([flags, &exit_code] { Run("init", Init(*flags), exit_code); });

  CLI::App* firmware = family->add_subcommand("firmware", "Write the stand-in firmware to a file");
  firmware->add_option("file", flags->firmware, "The file")->required();
  firmware->callback([flags, &exit_code] {
    Run("firmware", WriteFile(flags->firmware, measure::StandInFirmware()), exit_code);
  });

  CLI::App* serve = family->add_subcommand("serve", "Answer an agent on a unix socket");
  serve->add_option("--dir", flags->dir, "The simulator's keys")->capture_default_str();
  serve->add_option("--socket", flags->socket, "Where the agent connects")->required();
  serve->add_option("--ovmf", flags->launch.firmware, "Firmware (default: the stand-in)");
  serve->add_option("--kernel", flags->launch.kernel, "Kernel")->required();
  serve->add_option("--initrd", flags->launch.initrd, "Its initrd")->required();
  serve->add_option("--append", flags->launch.command_line, "Its command line");
  serve->add_option("--vcpus", flags->launch.vcpus, "vCPUs at launch")->capture_default_str();
  serve->add_option("--policy", flags->launch.policy, "Guest policy")->capture_default_str();
  serve->add_option("--host-data", flags->host_data, "32 bytes in hex (default: zeros)");
  serve->callback([flags, &exit_code] { Run("serve", Serve(*flags), exit_code); });
}

}  // namespace kata_cc::ctl
