// SPDX-License-Identifier: Apache-2.0
// IP addresses and networks as Go's package net reads and prints them. Pure functions.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kata_cc::policy {

struct IpAddress {
  // IPv4 as ::ffff:a.b.c.d, so one order serves both; is_v4 says which it is.
  std::array<std::uint8_t, 16> bytes{};
  bool is_v4 = false;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend auto operator<=>(const IpAddress& a, const IpAddress& b) {
    if (a.is_v4 != b.is_v4)
      return a.is_v4 ? std::strong_ordering::less : std::strong_ordering::greater;
    return a.bytes <=> b.bytes;
  }
};

struct IpNetwork {
  IpAddress address;
  int prefix = 0;  // Bits, of 32 or 128.

  IpAddress First() const;
  IpAddress Last() const;
  bool Contains(const IpAddress& ip) const;
  std::string ToText() const;  // The address as it is, not masked.
};

// No zones, no leading zeros; ::ffff:1.2.3.4 is IPv4.
std::optional<IpAddress> ParseIp(std::string_view text);
std::string IpText(const IpAddress& ip);
// "a/n", masked.
std::optional<IpNetwork> ParseCidr(std::string_view text);
// The next address; nothing after the last.
std::optional<IpAddress> NextIp(const IpAddress& ip);
// The fewest networks that are exactly first..last.
std::vector<IpNetwork> RangeToNetworks(IpAddress first, const IpAddress& last);

}  // namespace kata_cc::policy
