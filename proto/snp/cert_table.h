// SPDX-License-Identifier: Apache-2.0
// The table of certificates that the host hands to a guest along with its report (GHCB, "SNP
// Extended Guest Request"; configfs-tsm's auxblob). The host writes it: nothing in it is believed.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::snp {

struct CertTableEntry {
  std::array<std::uint8_t, 16> guid{};  // Big-endian order, as it is printed.
  Bytes data;
};

inline constexpr std::size_t kMaxCertTableSize = std::size_t{256} << 10;

// An empty table has no entries. kInvalidArgument for a table without its end mark, data outside
// the table or over its header, and for the same GUID twice.
Result<std::vector<CertTableEntry>> ParseCertTable(ByteView table);
Bytes EncodeCertTable(const std::vector<CertTableEntry>& entries);

// "VCEK", "VLEK", "ASK", "ARK", "CRL", or the GUID's text.
std::string CertTypeName(const std::array<std::uint8_t, 16>& guid);
Result<std::array<std::uint8_t, 16>> CertTypeGuid(std::string_view name);

}  // namespace kata_cc::snp
