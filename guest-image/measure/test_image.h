// SPDX-License-Identifier: Apache-2.0
// For tests: a small OVMF image with a GUIDed table and SEV metadata, and ways to break it.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/encoding.h"

namespace kata_cc::measure {

class TestImage {
 public:
  static constexpr std::size_t kSize = 8192;
  static constexpr std::size_t kFooter = kSize - 32 - 18;
  static constexpr std::size_t kMetadata = kSize - 1024;

  // A table with reset block, hash table and metadata; sections as SEC_MEM, SECRETS, CPUID, hashes.
  TestImage() : bytes(kSize) {
    AddEntry("de71f7007e1acb4f890e68c77e2fb44e", {0x04, 0xb0, 0x80, 0});
    AddEntry("1f3755723b3a044b927b1da6efa8d454", {0, 0x0c, 0x81, 0, 0, 4, 0, 0});
    AddEntry("666588dc4a989847a75e5585a7bf67cc", {0, 4, 0, 0});
    PutGuid(kFooter + 2, "de82b596b21ff745baeaa366c55a082d");
    StoreLe<std::uint16_t>(bytes, kFooter, static_cast<std::uint16_t>(kFooter - end_ + 18));
    const std::string_view magic = "ASEV";
    std::copy(magic.begin(), magic.end(), bytes.begin() + kMetadata);
    SetMetadata({{0x800000, 0x9000, 1},
                 {0x80d000, 0x1000, 2},
                 {0x80e000, 0x1000, 3},
                 {0x810000, 0x1000, 0x10}});
  }

  void SetMetadata(const std::vector<std::vector<std::uint32_t>>& sections) {
    const auto count = static_cast<std::uint32_t>(sections.size());
    StoreLe<std::uint32_t>(bytes, kMetadata + 4, 16 + 12 * count);
    StoreLe<std::uint32_t>(bytes, kMetadata + 8, 1);
    StoreLe<std::uint32_t>(bytes, kMetadata + 12, count);
    for (std::size_t i = 0; i < sections.size(); ++i) {
      for (std::size_t word = 0; word < 3; ++word) {
        StoreLe(bytes, kMetadata + 16 + 12 * i + 4 * word, sections[i][word]);
      }
    }
  }

  Bytes bytes;

 private:
  void PutGuid(std::size_t offset, std::string_view hex) {
    const Bytes guid = *HexDecode(hex);
    std::copy(guid.begin(), guid.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void AddEntry(std::string_view guid, const Bytes& data) {
    PutGuid(end_ - 16, guid);
    StoreLe<std::uint16_t>(bytes, end_ - 18, static_cast<std::uint16_t>(data.size() + 18));
    end_ -= data.size() + 18;
    std::copy(data.begin(), data.end(), bytes.begin() + static_cast<std::ptrdiff_t>(end_));
  }

  std::size_t end_ = kFooter;
};

}  // namespace kata_cc::measure
