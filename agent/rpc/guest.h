// SPDX-License-Identifier: Apache-2.0
// The requests that are about the machine itself: what it is, its clock and its random pool.
#pragma once

#include "base/result.h"
#include "proto/agent.pb.h"

namespace kata_cc::agent {

constexpr const char* kAgentVersion = "0.1.0";
constexpr const char* kApiVersion = "0.0.1";  // Kata's.

// Pool threads. init: this process is PID 1 of the machine.
grpc::GuestDetailsResponse GuestDetails(const grpc::GuestDetailsRequest& request, bool init);
Result<void> SetDateTime(const grpc::SetGuestDateTimeRequest& request);

// Mixes the host's bytes in and counts them for nothing: they add no entropy that is claimed.
Result<void> ReseedRandom(const grpc::ReseedRandomDevRequest& request);

}  // namespace kata_cc::agent
