// SPDX-License-Identifier: Apache-2.0
// RunProgram: a program of the guest image, run to its end.
#pragma once

#include <string>
#include <vector>

#include "agent/process/reaper.h"
#include "base/result.h"

namespace kata_cc::agent {

// Blocks for at most a minute; any thread. Without input. Internal, with the last line of what it
// said, unless it ends with 0.
Result<void> RunProgram(Reaper& reaper, const std::vector<std::string>& argv);

}  // namespace kata_cc::agent
