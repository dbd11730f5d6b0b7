// SPDX-License-Identifier: Apache-2.0
// DmDevice: a device-mapper device by ioctl (linux/dm-ioctl.h; targets: Linux
// Documentation/admin-guide/device-mapper), removed when it is dropped.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace kata_cc::agent {

struct DmTable {
  std::uint64_t sectors = 0;  // Of 512 bytes.
  std::string target;         // One, from the first sector to the last.
  std::string parameters;
  bool read_only = false;
};

class DmDevice {
 public:
  // name: at most 127 bytes, unique in the machine. Blocking; any thread. The parameters may hold a
  // key: the buffer that took them to the kernel is wiped.
  static Result<DmDevice> Create(const std::string& name, const DmTable& table);
  DmDevice(DmDevice&& other) noexcept
      : name_(std::exchange(other.name_, {})), path_(std::move(other.path_)) {}
  DmDevice& operator=(DmDevice&&) = delete;
  ~DmDevice();  // Waits a while for its last user; then it goes when that one lets go.

  const std::string& path() const { return path_; }  // /dev/dm-N

 private:
  explicit DmDevice(std::string name) : name_(std::move(name)) {}

  std::string name_;
  std::string path_;
};

}  // namespace kata_cc::agent
