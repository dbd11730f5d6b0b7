// SPDX-License-Identifier: Apache-2.0
// SecretsProcess: the program kata-cc-secrets beside the agent. All that talks TLS, parses what a
// key broker answers or a workload asks on the local API, and so all of OpenSSL, is there: without
// privileges, and not in PID 1. It has no device and no file; reports and the policy's verdicts it
// gets from the agent, call by call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "agent/attest/attester.h"
#include "agent/secrets/secret.h"
#include "base/log.h"
#include "base/result.h"

namespace kata_cc::agent {

// What the process works with, from what the launch is bound to.
struct SecretsConfig {
  bool tee = false;                         // Whether there are reports to be had.
  std::optional<std::string> initdata;      // The document as it came.
  std::map<std::string, std::string> data;  // Its parts.
  int api_port = 0;                         // Of the local API.
};

std::string EncodeSecretsConfig(const SecretsConfig& config);
Result<SecretsConfig> ParseSecretsConfig(std::string_view json);

class SecretsProcess {
 public:
  struct Options {
    std::string program;  // The path of kata-cc-secrets.
    LogLevel log_level = LogLevel::kInfo;
    SecretsConfig config;
  };
  // Whether the policy allows a request to the local API. Any thread.
  using Allowed = std::function<bool(const nlohmann::json& input)>;

  // attester: null where there is no TEE; it outlives this. Starts nothing yet.
  static std::unique_ptr<SecretsProcess> Create(Options options, Attester* attester,
                                                Allowed allowed);
  virtual ~SecretsProcess() = default;  // Ends the process.

  // The others start it where needed. An error: it does not run, or refuses its configuration.
  virtual Result<void> Start() = 0;

  // Any thread. While the API listens, the process is started anew when it ends.
  virtual Result<void> Listen(bool wanted) = 0;

  // Any thread; blocks for as long as the broker takes.
  virtual Result<Secret> Unseal(std::string_view sealed) = 0;
};

}  // namespace kata_cc::agent
