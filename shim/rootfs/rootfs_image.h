// SPDX-License-Identifier: Apache-2.0
// The root file system of a container as one read-only squashfs image, built from the mounts that
// containerd passes with Create. For snapshotters that know nothing of the guest.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace kata_cc::shim {

struct HostMount {
  std::string type;
  std::string source;
  std::vector<std::string> options;
};

struct RootfsRequest {
  std::vector<HostMount> mounts;  // In order; empty: directory holds the files already.
  std::string directory;          // Where to mount them.
  std::string image;              // The file to make.
  std::string compressor;         // As gensquashfs names it.
};

// Blocking. Mounts in the calling process's mount namespace, and unmounts before it returns. On
// failure no image is left. The image keeps owners, modes, times and extended attributes.
Result<void> BuildRootfsImage(const RootfsRequest& request);

// Mount options of containerd as mount(2) takes them.
struct ParsedOptions {
  unsigned long flags = 0;
  std::string data;
};
Result<ParsedOptions> ParseMountOptions(const std::vector<std::string>& options);

}  // namespace kata_cc::shim
