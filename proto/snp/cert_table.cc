// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/cert_table.h"

#include <algorithm>

#include "base/encoding.h"

namespace kata_cc::snp {
namespace {

constexpr std::size_t kEntrySize = 24;  // GUID, u32 offset, u32 length.
using Guid = std::array<std::uint8_t, 16>;

struct KnownType {
  std::string_view name;
  std::string_view guid;
};
constexpr KnownType kKnownTypes[] = {{"ARK", "c0b406a4a803495297433fb6014cd0ae"},
                                     {"ASK", "4ab7b379bbac4fe4a02f05aef327c782"},
                                     {"VCEK", "63da758de6644564adc5f4b93be8accd"},
                                     {"VLEK", "a8074bc2a25a483eaae639c045a0b8a1"},
                                     {"CRL", "92f81bc358114d3d97ffd19f88dc67ea"}};

Error Bad(const char* why) {
  return {Code::kInvalidArgument, std::string("certificate table: ") + why};
}

}  // namespace

Result<std::vector<CertTableEntry>> ParseCertTable(ByteView table) {
  struct Header {
    Guid guid;
    std::size_t offset, length;
  };
  if (table.empty()) return std::vector<CertTableEntry>();
  if (table.size() > kMaxCertTableSize) return Bad("too large");
  std::vector<Header> headers;
  std::size_t end = 0;
  while (true) {
    if (table.size() - end < kEntrySize) return Bad("no end mark");
    Header header;
    std::copy_n(table.begin() + static_cast<std::ptrdiff_t>(end), header.guid.size(),
                header.guid.begin());
    header.offset = LoadLe<std::uint32_t>(table, end + 16);
    header.length = LoadLe<std::uint32_t>(table, end + 20);
    end += kEntrySize;
    if (header.guid == Guid{}) break;
    const bool repeated = std::any_of(headers.begin(), headers.end(), [&](const Header& other) {
      return other.guid == header.guid;
    });
    if (repeated) return Bad("repeated entry");
    if (headers.size() == 64) return Bad("too many entries");
    headers.push_back(header);
  }
  std::vector<CertTableEntry> entries;
  for (const Header& header : headers) {
    if (header.offset < end || header.offset > table.size() ||
        header.length > table.size() - header.offset) {
      return Bad("entry outside the table");
    }
    const ByteView data = table.subspan(header.offset, header.length);
    entries.push_back({header.guid, Bytes(data.begin(), data.end())});
  }
  return entries;
}

Bytes EncodeCertTable(const std::vector<CertTableEntry>& entries) {
  Bytes table((entries.size() + 1) * kEntrySize);
  std::size_t at = 0;
  for (const CertTableEntry& entry : entries) {
    std::copy(entry.guid.begin(), entry.guid.end(),
              table.begin() + static_cast<std::ptrdiff_t>(at));
    StoreLe(table, at + 16, static_cast<std::uint32_t>(table.size()));
    StoreLe(table, at + 20, static_cast<std::uint32_t>(entry.data.size()));
    table.insert(table.end(), entry.data.begin(), entry.data.end());
    at += kEntrySize;
  }
  return table;
}

std::string CertTypeName(const Guid& guid) {
  const std::string hex = HexEncode(guid);
  for (const KnownType& type : kKnownTypes) {
    if (type.guid == hex) return std::string(type.name);
  }
  std::string text = hex;
  for (const std::size_t at : {8U, 13U, 18U, 23U})
    text.insert(at, "-");
  return text;
}

Result<Guid> CertTypeGuid(std::string_view name) {
  std::string hex;
  for (const KnownType& type : kKnownTypes) {
    if (type.name == name) hex = type.guid;
  }
  if (hex.empty() && name.size() == 36) {
    std::copy_if(name.begin(), name.end(), std::back_inserter(hex),
                 [](char c) { return c != '-'; });
  }
  const Result<Bytes> bytes = HexDecode(hex);
  if (!bytes || bytes->size() != 16) return Bad("unknown certificate type");
  Guid guid;
  std::copy(bytes->begin(), bytes->end(), guid.begin());
  return guid;
}

}  // namespace kata_cc::snp
