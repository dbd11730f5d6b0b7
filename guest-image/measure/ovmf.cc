// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/ovmf.h"

#include <algorithm>
#include <string>

#include "base/encoding.h"

namespace kata_cc::measure {
namespace {

constexpr std::size_t kBytesAfterTable = 32;  // The reset vector.
constexpr std::size_t kEntryTail = 18;        // u16 size and GUID follow an entry's data.
constexpr std::size_t kMetadataHeader = 16;
constexpr std::size_t kMetadataEntry = 12;
constexpr std::size_t kMaxImage = std::size_t{256} << 20;

constexpr std::uint8_t Nibble(char c) {
  return static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
}

// "96b582de-1fb2-..." to the order of bytes in memory.
consteval Guid ParseGuid(const char (&text)[37]) {
  Guid guid{};
  std::size_t n = 0;
  for (std::size_t i = 0; i < 36; i += 2) {
    if (text[i] == '-') ++i;
    guid[n++] = static_cast<std::uint8_t>(Nibble(text[i]) << 4 | Nibble(text[i + 1]));
  }
  std::reverse(guid.begin(), guid.begin() + 4);
  std::reverse(guid.begin() + 4, guid.begin() + 6);
  std::reverse(guid.begin() + 6, guid.begin() + 8);
  return guid;
}

constexpr Guid kFooter = ParseGuid("96b582de-1fb2-45f7-baea-a366c55a082d");
constexpr Guid kHashTable = ParseGuid("7255371f-3a3b-4b04-927b-1da6efa8d454");
constexpr Guid kResetBlock = ParseGuid("00f771de-1a7e-4fcb-890e-68c77e2fb44e");
constexpr Guid kSevMetadata = ParseGuid("dc886566-984a-4798-a75e-5585a7bf67cc");
constexpr Guid kSvsmInfo = ParseGuid("a789a612-0597-4c4b-a49f-cbb1fe9d1ddd");

Error Bad(const std::string& why) {
  return {Code::kInvalidArgument, "ovmf: " + why};
}

}  // namespace

Result<Ovmf> Ovmf::Parse(ByteView image) {
  if (image.size() < kBytesAfterTable + kEntryTail) return Bad("image too short");
  if (image.size() > kMaxImage) return Bad("image too large");
  Ovmf ovmf(image);
  TRY(ovmf.ParseTable());
  TRY(ovmf.ParseMetadata());
  return ovmf;
}

// Entries are walked from the footer backwards: data, u16 size (of all three), GUID.
Result<void> Ovmf::ParseTable() {
  const std::size_t footer = image_.size() - kBytesAfterTable - kEntryTail;
  const auto guid_at = [&](std::size_t offset) {
    Guid guid;
    std::copy_n(image_.begin() + static_cast<std::ptrdiff_t>(offset), guid.size(), guid.begin());
    return guid;
  };
  if (guid_at(footer + 2) != kFooter) return {};  // An old image without a table.
  const std::size_t table_size = LoadLe<std::uint16_t>(image_, footer);
  if (table_size < kEntryTail || table_size - kEntryTail > footer) {
    return Bad("footer: table size out of range");
  }
  std::size_t left = table_size - kEntryTail;
  for (std::size_t end = footer; left > 0;) {
    if (left < kEntryTail) return Bad("table: bytes left over");
    const std::size_t size = LoadLe<std::uint16_t>(image_, end - kEntryTail);
    if (size < kEntryTail || size > left) return Bad("table: entry size out of range");
    const Entry entry{guid_at(end - 16), image_.subspan(end - size, size - kEntryTail)};
    if (Find(entry.guid) != nullptr) return Bad("table: repeated entry");
    entries_.push_back(entry);
    end -= size;
    left -= size;
  }
  return {};
}

Result<void> Ovmf::ParseMetadata() {
  if (Find(kSevMetadata) == nullptr) return {};
  const std::size_t from_end = TRY(FirstWord(kSevMetadata, "OVMF_SEV_METADATA"));
  if (from_end > image_.size() || from_end < kMetadataHeader) {
    return Bad("SEV metadata: offset out of range");
  }
  const ByteView metadata = image_.last(from_end);
  if (AsString(metadata.first(4)) != "ASEV") return Bad("SEV metadata: wrong signature");
  if (LoadLe<std::uint32_t>(metadata, 8) != 1) return Bad("SEV metadata: unknown version");
  const std::size_t size = LoadLe<std::uint32_t>(metadata, 4);
  const std::size_t count = LoadLe<std::uint32_t>(metadata, 12);
  if (count > (metadata.size() - kMetadataHeader) / kMetadataEntry) {
    return Bad("SEV metadata: more sections than the image can hold");
  }
  if (size < kMetadataHeader + count * kMetadataEntry || size > metadata.size()) {
    return Bad("SEV metadata: size does not fit the number of sections");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kMetadataHeader + i * kMetadataEntry;
    const OvmfSection section{LoadLe<std::uint32_t>(metadata, at),
                              LoadLe<std::uint32_t>(metadata, at + 4),
                              static_cast<SectionType>(LoadLe<std::uint32_t>(metadata, at + 8))};
    switch (section.type) {
      case SectionType::kSecMemory:
      case SectionType::kSecrets:
      case SectionType::kCpuid:
      case SectionType::kSvsmCallingArea:
      case SectionType::kKernelHashes:
        sections_.push_back(section);
        continue;
    }
    return Bad("SEV metadata: unknown section type " +
               std::to_string(static_cast<std::uint32_t>(section.type)));
  }
  return {};
}

bool Ovmf::HasSection(SectionType type) const {
  return std::any_of(sections_.begin(), sections_.end(),
                     [&](const OvmfSection& section) { return section.type == type; });
}

const Ovmf::Entry* Ovmf::Find(const Guid& guid) const {
  const auto it = std::find_if(entries_.begin(), entries_.end(),
                               [&](const Entry& entry) { return entry.guid == guid; });
  return it == entries_.end() ? nullptr : &*it;
}

Result<std::uint32_t> Ovmf::FirstWord(const Guid& guid, const char* name) const {
  const Entry* entry = Find(guid);
  if (entry == nullptr) {
    return Error(Code::kNotFound, std::string("ovmf: no ") + name + " entry in the table");
  }
  if (entry->data.size() < 4) return Bad(std::string(name) + ": entry too short");
  return LoadLe<std::uint32_t>(entry->data, 0);
}

Result<std::uint32_t> Ovmf::ResetEip() const {
  return FirstWord(kResetBlock, "SEV_ES_RESET_BLOCK");
}
Result<std::uint32_t> Ovmf::HashTableGpa() const {
  return FirstWord(kHashTable, "SEV_HASH_TABLE_RV");
}
Result<std::uint32_t> Ovmf::SvsmLaunchOffset() const {
  return FirstWord(kSvsmInfo, "SVSM_INFO");
}

}  // namespace kata_cc::measure
