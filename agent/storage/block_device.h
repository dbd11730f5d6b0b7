// SPDX-License-Identifier: Apache-2.0
// Block devices by what the host calls them. Where a device is found says nothing of what is on it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace kata_cc::agent {

struct BlockDevice {
  std::string path;  // In /dev.
  unsigned major = 0;
  unsigned minor = 0;
  std::uint64_t size_bytes = 0;
};

struct DeviceRoots {
  std::string sys = "/sys";
  std::string dev = "/dev";
};

// source is one of: a device's path (/dev/NAME), a PCI address (DDDD:BB:SS.F), a PCI path of slots
// (SS/SS..., Kata's), or the serial of a virtio or SCSI disk. Blocks until the device is there, as
// it may be plugged in just now; NotFound after patience. InvalidArgument for what is none of
// these.
Result<BlockDevice> FindBlockDevice(const std::string& source, std::chrono::milliseconds patience,
                                    const DeviceRoots& roots = {});

}  // namespace kata_cc::agent
