// SPDX-License-Identifier: Apache-2.0
// EncryptedDisk: a disk of the host's that only this guest can read, and whose blocks it would see
// changed: dm-crypt with authentication, its tags and random IVs kept by dm-integrity (Linux
// Documentation/admin-guide/device-mapper/dm-{crypt,integrity}.rst). The host can put an older
// block back in its place (docs/threat-model.md).
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "agent/storage/block_device.h"
#include "agent/storage/device_mapper.h"
#include "base/result.h"

namespace kata_cc::agent {

class EncryptedDisk {
 public:
  // Nothing is read from the disk; what is on it is lost. The key is made here, by the kernel's
  // random numbers, and kept by the kernel alone until the device goes. The first 64 KiB are zeros;
  // the rest is an I/O error until it is written, in whole blocks of 4 KiB. InvalidArgument for a
  // disk that is too small. Blocking.
  static Result<EncryptedDisk> Create(const BlockDevice& device);
  EncryptedDisk(EncryptedDisk&&) noexcept = default;
  EncryptedDisk& operator=(EncryptedDisk&&) = delete;

  const std::string& path() const { return content_.path(); }

 private:
  EncryptedDisk(DmDevice tags, DmDevice content)
      : tags_(std::move(tags)), content_(std::move(content)) {}

  DmDevice tags_;
  DmDevice content_;  // On top, so it goes first.
};

// How many sectors of content a disk of so many has room for beside their tags; 0: too few.
std::uint64_t EncryptedSectors(std::uint64_t disk_sectors);

}  // namespace kata_cc::agent
