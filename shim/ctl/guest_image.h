// SPDX-License-Identifier: Apache-2.0
// A guest image as an auditor gets it: a directory with vmlinuz, initrd.img, cmdline, manifest.json
// (guest-image/build/build.sh) and, if published, signatures. Nothing in it is believed but by a
// digest; the manifest itself only by a signature.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::ctl {

struct ImageFile {
  std::string sha256;
  std::uint64_t size = 0;
  std::string package, version;
};

struct Manifest {
  Bytes text;  // As it came: what signatures are over.
  std::map<std::string, ImageFile> files;
  std::string kernel_sha256, kernel_package, kernel_version, initrd_sha256, cmdline_sha256,
      sbom_sha256;  // The last may be empty: no bill of materials.
  bool debug = false;
  nlohmann::json launch;  // "launch" of the file; null when it has none.
};

// kInvalidArgument for anything but the form that the build writes.
Result<Manifest> ReadManifest(const std::string& dir);

// The launch digests of 1..max_vcpus vCPUs, with the command line that the shim makes: what
// "launch" of a manifest holds.
struct LaunchOptions {
  std::string firmware;       // Path of the OVMF image.
  std::string kernel_params;  // Of the configuration.
  std::string transport = "vsock";
  std::uint32_t max_vcpus = 32;
  std::uint64_t guest_features = 1;
};
Result<nlohmann::json> LaunchDigests(const std::string& dir, const LaunchOptions& options);

// Every way in which the directory differs from its manifest; empty: none. With firmware, the
// launch digests are computed anew, too.
Result<std::vector<std::string>> CheckImage(const std::string& dir, const Manifest& manifest,
                                            const std::string& firmware);

// A readable list of what changed, a line each; empty when the two say the same.
std::vector<std::string> DiffManifests(const Manifest& before, const Manifest& after);

}  // namespace kata_cc::ctl
