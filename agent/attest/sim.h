// SPDX-License-Identifier: Apache-2.0
// Reports by the simulator of the host (proto/snp/sim/wire.h). No verifier trusts them unless it is
// given the simulator's own root.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/attest/attester.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

// The simulator's virtio-serial port below root; or, outside a VM, its unix socket.
Result<UniqueFd> OpenSimPort(const std::string& root);
Result<UniqueFd> ConnectSimSocket(const std::string& path);

std::unique_ptr<Attester> SimAttester(UniqueFd port,
                                      std::chrono::milliseconds timeout = std::chrono::seconds(30));

}  // namespace kata_cc::agent
