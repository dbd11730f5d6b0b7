// SPDX-License-Identifier: Apache-2.0
// Initdata: the document that the pod's owner gave to the guest, whose digest is the launch's
// HOST_DATA. Layout: Kata's initdata 0.1.0; on a block device: "initdata", the length of the gzip
// stream (64 bits, little-endian), the stream, zero padding. The host writes all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::agent {

constexpr std::size_t kMaxInitdataGzipBytes = 4U << 20;
constexpr std::size_t kMaxInitdataBytes = 8U << 20;

struct Initdata {
  std::string algorithm;  // sha256, sha384 or sha512.
  std::string digest;     // Of the document's bytes as they came, by that algorithm; raw.
  std::map<std::string, std::string> data;
};

// The document in a device's content.
Result<std::string> UnpackInitdataImage(ByteView image);

// Strict: version 0.1.0, a known algorithm, data with text values, and nothing else.
Result<Initdata> ParseInitdata(std::string_view document);

// Looks at the virtio and SCSI disks under sys_block (/sys/block) for an initdata device in dev
// (/dev). None: there is none. Two of them, or one that is broken: an error.
Result<std::optional<std::string>> FindInitdata(const std::string& sys_block,
                                                const std::string& dev);

// The document in a file or block device that is known to be one.
Result<std::string> ReadInitdataImage(const std::string& path);

}  // namespace kata_cc::agent
