// SPDX-License-Identifier: Apache-2.0
// What PID 1 does before anything else: file systems, device links, loopback; and how it
// ends. Only PID 1 calls these, on its one thread.
#pragma once

#include <string_view>

#include "base/result.h"

namespace kata_cc::agent {

// Turns the initramfs root into an ordinary mount (pivot_root needs one), then mounts what user
// space expects, cgroup v2 with every controller given to children, and makes /dev's links.
// Also a clean environment: what the kernel passes on from its command line is dropped.
Result<void> MountFileSystems();

// Where attestation reports are asked for, once the kernel has it; one without has /dev/sev-guest.
void MountConfigfs();

Result<void> BringLoopbackUp();
Result<void> SetHostname(std::string_view name);

// The reason goes to the console, then the machine is powered off.
[[noreturn]] void PowerOff(std::string_view reason);

}  // namespace kata_cc::agent
