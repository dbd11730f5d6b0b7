// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/sev_hashes.h"

#include <algorithm>

namespace kata_cc::measure {
namespace {

using Id = std::array<std::uint8_t, 16>;
// 9438d606-4f22-4cc9-b479-a793d411fd21
constexpr Id kTableId = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                         0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
// 97d02dd8-bd20-4c94-aa78-e7714d36ab2a
constexpr Id kCommandLineId = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
                               0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
// 44baf731-3a2f-4bd7-9af1-41e29169781d
constexpr Id kInitrdId = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
                          0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
// 4de79437-abd2-427f-b835-d5b172d2045b
constexpr Id kKernelId = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
                          0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};

constexpr std::size_t kHeaderSize = 18;
constexpr std::size_t kEntrySize = kHeaderSize + 32;

void Put(HashTable& table, std::size_t offset, const Id& id, std::size_t size) {
  std::copy(id.begin(), id.end(), table.begin() + static_cast<std::ptrdiff_t>(offset));
  StoreLe<std::uint16_t>(table, offset + id.size(), static_cast<std::uint16_t>(size));
}

}  // namespace

KernelHashes HashKernel(ByteView kernel, ByteView initrd, std::string_view command_line) {
  static constexpr std::uint8_t kNul[1] = {0};
  return {Sha256({AsBytes(command_line), kNul}), Sha256({initrd}), Sha256({kernel})};
}

HashTable BuildHashTable(const KernelHashes& hashes) {
  HashTable table{};
  Put(table, 0, kTableId, kHeaderSize + 3 * kEntrySize);
  std::size_t offset = kHeaderSize;
  const std::pair<const Id&, const Sha256Digest&> entries[] = {
      {kCommandLineId, hashes.command_line},
      {kInitrdId, hashes.initrd},
      {kKernelId, hashes.kernel}};
  for (const auto& [id, digest] : entries) {
    Put(table, offset, id, kEntrySize);
    std::copy(digest.begin(), digest.end(),
              table.begin() + static_cast<std::ptrdiff_t>(offset + kHeaderSize));
    offset += kEntrySize;
  }
  return table;
}

}  // namespace kata_cc::measure
