// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/stand_in.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "base/encoding.h"

namespace kata_cc::measure {
namespace {

constexpr std::size_t kSize = 8192;
constexpr std::size_t kTableEnd = kSize - 32;
constexpr std::size_t kMetadata = kSize - 1024;

// The table grows down from its end: data, size, GUID.
class Table {
 public:
  explicit Table(Bytes& image) : image_(image) {}

  void Add(std::string_view guid, std::initializer_list<std::uint32_t> words) {
    const std::size_t size = words.size() * 4 + 18;
    PutGuid(guid, size);
    end_ -= size;
    std::size_t at = end_;
    for (const std::uint32_t word : words) {
      StoreLe(image_, at, word);
      at += 4;
    }
  }
  // The footer goes in last, for it has the size of all, and lies highest.
  void Close() {
    const std::size_t size = kTableEnd - end_;
    end_ = kTableEnd;
    PutGuid("de82b596b21ff745baeaa366c55a082d", size);
  }
  void Open() { end_ -= 18; }

 private:
  void PutGuid(std::string_view guid, std::size_t size) {
    const Bytes bytes = *HexDecode(guid);
    std::copy(bytes.begin(), bytes.end(),
              image_.begin() + static_cast<std::ptrdiff_t>(end_ - bytes.size()));
    StoreLe(image_, end_ - 18, static_cast<std::uint16_t>(size));
  }

  Bytes& image_;
  std::size_t end_ = kTableEnd;
};

}  // namespace

Bytes StandInFirmware() {
  Bytes image(kSize);
  Table table(image);
  table.Open();
  table.Add("de71f7007e1acb4f890e68c77e2fb44e", {0x0080b004});         // AP reset vector.
  table.Add("1f3755723b3a044b927b1da6efa8d454", {0x00810c00, 0x400});  // Kernel hashes.
  table.Add("666588dc4a989847a75e5585a7bf67cc", {kSize - kMetadata});  // SEV metadata.
  table.Close();

  // As OVMF's AmdSev build has them: address, size, type.
  constexpr std::array<std::array<std::uint32_t, 3>, 7> kSections = {{{0x800000, 0x9000, 1},
                                                                      {0x80a000, 0x3000, 1},
                                                                      {0x80d000, 0x1000, 2},
                                                                      {0x80e000, 0x1000, 3},
                                                                      {0x80f000, 0x1000, 4},
                                                                      {0x810000, 0x1000, 0x10},
                                                                      {0x811000, 0xf000, 1}}};
  constexpr std::string_view kSignature = "ASEV";
  std::copy(kSignature.begin(), kSignature.end(),
            image.begin() + static_cast<std::ptrdiff_t>(kMetadata));
  const std::array<std::uint32_t, 3> header = {16 + 12 * kSections.size(), 1, kSections.size()};
  std::size_t at = kMetadata + 4;
  for (const std::uint32_t word : header) {
    StoreLe(image, at, word);
    at += 4;
  }
  for (const auto& section : kSections) {
    for (const std::uint32_t word : section) {
      StoreLe(image, at, word);
      at += 4;
    }
  }
  return image;
}

}  // namespace kata_cc::measure
