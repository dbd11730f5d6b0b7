// SPDX-License-Identifier: Apache-2.0
// What an OVMF (or SVSM) image says of itself: the GUIDed table at its end and the SEV metadata.
// Layout: edk2 OvmfPkg/ResetVector, ResetVectorVtf0.asm and X64/OvmfSevMetadata.asm. The image may
// be anything: every offset and length in it is checked against its size.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::measure {

// A GUID as it lies in memory (first three fields little endian).
using Guid = std::array<std::uint8_t, 16>;

enum class SectionType : std::uint32_t {
  kSecMemory = 1,
  kSecrets = 2,
  kCpuid = 3,
  kSvsmCallingArea = 4,
  kKernelHashes = 0x10,
};

struct OvmfSection {
  std::uint32_t gpa = 0;
  std::uint32_t size = 0;
  SectionType type = SectionType::kSecMemory;
};

class Ovmf {
 public:
  // image is borrowed and must outlive the object.
  static Result<Ovmf> Parse(ByteView image);

  ByteView image() const { return image_; }
  // Where it is mapped: it ends at 4 GiB.
  std::uint64_t gpa() const { return (std::uint64_t{1} << 32) - image_.size(); }
  const std::vector<OvmfSection>& sections() const { return sections_; }
  bool HasSection(SectionType type) const;

  // kNotFound when the table has no such entry.
  Result<std::uint32_t> ResetEip() const;      // Where APs begin.
  Result<std::uint32_t> HashTableGpa() const;  // Of the table of kernel hashes.
  Result<std::uint32_t> SvsmLaunchOffset() const;

 private:
  struct Entry {
    Guid guid;
    ByteView data;
  };
  explicit Ovmf(ByteView image) : image_(image) {}
  Result<void> ParseTable();
  Result<void> ParseMetadata();
  const Entry* Find(const Guid& guid) const;
  Result<std::uint32_t> FirstWord(const Guid& guid, const char* name) const;

  ByteView image_;
  std::vector<Entry> entries_;
  std::vector<OvmfSection> sections_;
};

}  // namespace kata_cc::measure
