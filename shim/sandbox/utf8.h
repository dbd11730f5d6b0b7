// SPDX-License-Identifier: Apache-2.0
// IsUtf8: whether bytes may go into a proto3 string (RFC 3629; no surrogates, shortest form only).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kata_cc::shim {

inline bool IsUtf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i++]);
    if (lead < 0x80) continue;
    const int extra = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4) return false;
    std::uint32_t point = lead & (0x3fU >> extra);
    for (int k = 0; k < extra; ++k) {
      if (i >= text.size()) return false;
      const auto next = static_cast<std::uint8_t>(text[i++]);
      if ((next & 0xc0) != 0x80) return false;
      point = point << 6 | (next & 0x3fU);
    }
    if (extra == 2 && (point < 0x800 || (point >= 0xd800 && point <= 0xdfff))) return false;
    if (extra == 3 && (point < 0x10000 || point > 0x10ffff)) return false;
  }
  return true;
}

}  // namespace kata_cc::shim
