// SPDX-License-Identifier: Apache-2.0
// Whether this host can launch SEV-SNP guests, requirement by requirement. A launch with tee =
// "snp" asks before it starts anything, and never falls back to another kind of guest.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace kata_cc::shim {

struct SnpHost {
  std::string root;  // Put before each path; empty: the host itself.
  std::string qemu_path;
  std::string firmware, kernel, initrd;
  bool vsock = true;  // Whether the agent is reached by vsock.
  // As libvirt gives it (major * 1,000,000 + minor * 1,000 + micro). None: by the name of the
  // library's file.
  std::optional<unsigned long> libvirt_version;
};

struct SnpRequirement {
  std::string name;    // "cpu flag", "kernel parameter", "/dev/sev", "firmware", "qemu", ...
  std::string detail;  // What is there, or what is missing and how to come by it.
  bool met = false;
};

// All requirements, met or not. Runs QEMU once, for its version. Blocking; any thread.
std::vector<SnpRequirement> CheckSnpHost(const SnpHost& host);

// FailedPrecondition, naming each requirement that is not met.
Result<void> RequireSnpHost(const SnpHost& host);

// Whether an OVMF image can start under SNP with kernel hashes; the error says what it lacks.
Result<void> CheckSnpFirmware(const std::string& path);

}  // namespace kata_cc::shim
