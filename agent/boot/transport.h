// SPDX-License-Identifier: Apache-2.0
// Where the agent is reached: vsock port 1024, a virtio-serial port by name, or (outside a VM) a
// unix socket. A port's stream goes to the server as it is: it knows that a port has no end.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {

constexpr unsigned kVsockPort = 1024;
constexpr std::string_view kPortName = "org.kata-cc.agent.0";

Result<UniqueFd> ListenOnVsock();

// "unix:///path" or "unix://@abstract".
Result<UniqueFd> ListenOnUnixSocket(std::string_view address);

// The device node of the port with this name, e.g. /dev/vport1p1.
Result<std::string> FindVirtioPort(const std::string& sysfs_class, std::string_view name);

}  // namespace kata_cc::agent
