// SPDX-License-Identifier: Apache-2.0
// The methods of go/server.go once more, for the Go client, and a server that runs them.
#pragma once

#include <string>

#include "base/reactor.h"
#include "proto/ttrpc/server.h"

namespace kata_cc::ttrpc {

inline constexpr char kInteropService[] = "kata_cc.test.Interop";

void RegisterInterop(Reactor& reactor, Server& server);

// A listening unix socket at path.
Result<UniqueFd> ListenUnix(const std::string& path);
Result<UniqueFd> DialUnix(const std::string& path);

}  // namespace kata_cc::ttrpc
