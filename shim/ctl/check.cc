// SPDX-License-Identifier: Apache-2.0
// kata-ccctl check: whether this host can launch confidential guests, and what it lacks.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "shim/config/config.h"
#include "shim/ctl/commands.h"
#include "shim/vm/snp_launch.h"

namespace kata_cc::ctl {
namespace {

struct CheckFlags {
  std::string config, root;
  bool json = false;
};

// Without a configuration the defaults are checked: that it is missing is one more finding.
Result<std::vector<shim::SnpRequirement>> Check(const CheckFlags& flags) {
  const std::string path =
      flags.config.empty() ? flags.root + shim::kDefaultConfigPath : flags.config;
  shim::Config config;
  std::vector<shim::SnpRequirement> found;
  if (flags.config.empty() && ::access(path.c_str(), F_OK) != 0) {
    found.push_back({"configuration", path + ": not there: checking the defaults", false});
  } else {
    config = TRY(shim::ReadConfig(path));
    const bool snp = config.tee == shim::Tee::kSnp;
    found.push_back({"configuration", path + (snp ? "" : ": tee is not \"snp\""), snp});
  }
  for (shim::SnpRequirement& requirement : shim::CheckSnpHost({.root = flags.root,
                                           .qemu_path = config.qemu_path,
                                           .firmware = config.firmware,
                                           .kernel = config.kernel,
                                           .initrd = config.initrd,
                                           .vsock = config.transport == shim::Transport::kVsock,
                                           .libvirt_version = {}})) {
    found.push_back(std::move(requirement));
  }
  return found;
}

Result<bool> Run(const CheckFlags& flags) {
  const std::vector<shim::SnpRequirement> found = TRY(Check(flags));
  bool ready = true;
  nlohmann::json list = nlohmann::json::array();
  for (const shim::SnpRequirement& requirement : found) {
    ready = ready && requirement.met;
    list.push_back(
        {{"name", requirement.name}, {"met", requirement.met}, {"detail", requirement.detail}});
    if (flags.json) continue;
    std::printf("%-8s %s: %s\n", requirement.met ? "ok" : "MISSING", requirement.name.c_str(),
                requirement.detail.c_str());
  }
  if (flags.json) {
    const nlohmann::json out = {{"ready", ready}, {"requirements", list}};
    std::printf("%s\n", out.dump(2).c_str());
  } else {
    std::printf("%s\n", ready ? "this host can launch SEV-SNP guests"
                              : "this host cannot launch SEV-SNP guests");
  }
  return ready;
}

}  // namespace

void AddCheckCommands(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<CheckFlags>();
  CLI::App* check = app.add_subcommand("check", "Whether this host can launch SEV-SNP guests");
  check->add_option("--config", flags->config,
                    "The runtime's configuration (default: /etc/kata-cc/configuration.toml)");
  check->add_option("--root", flags->root, "Check the host that is mounted here");
  check->add_flag("--json", flags->json, "Print JSON");
  check->callback([flags, &exit_code] {
    const Result<bool> ready = Run(*flags);
    if (ready) {
      exit_code = *ready ? 0 : kExitNo;
      return;
    }
    std::fprintf(stderr, "kata-ccctl check: %s\n", ready.error().message().c_str());
    exit_code = kExitUsage;
  });
}

}  // namespace kata_cc::ctl
