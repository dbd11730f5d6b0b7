// SPDX-License-Identifier: Apache-2.0
// What GetMetrics tells: the guest's load, memory and network, and the agent's own size, in
// Prometheus' text format under Kata's names.
#pragma once

#include <string>

namespace kata_cc::agent {

// Any thread. What /proc does not have is left out.
std::string GuestMetrics(const std::string& proc = "/proc");

}  // namespace kata_cc::agent
