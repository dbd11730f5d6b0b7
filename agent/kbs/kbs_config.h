// SPDX-License-Identifier: Apache-2.0
// Where the key broker is, and by which certificate it is known: from the initdata's aa.toml and
// cdh.toml (CoCo's attestation agent and confidential data hub), which the launch is bound to.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"

namespace kata_cc::agent {

struct KbsConfig {
  std::string url;          // https://host[:port]
  std::string certificate;  // PEM, one or more: the broker's own, or those of who issued it.
};

// None: neither file names a broker. InvalidArgument: malformed TOML, two files that differ, a URL
// that is not https, no certificate: without both, who is on the path could choose the secrets.
Result<std::optional<KbsConfig>> ReadKbsConfig(const std::map<std::string, std::string>& data);

}  // namespace kata_cc::agent
