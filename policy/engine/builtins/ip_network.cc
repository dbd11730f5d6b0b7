// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/ip_network.h"

#include <algorithm>
#include <cstdio>

namespace kata_cc::policy {
namespace {

constexpr std::size_t kV4Start = 12;
constexpr std::array<std::uint8_t, 12> kV4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ParseV4(std::string_view text, std::uint8_t* out) {
  for (int part = 0; part < 4; ++part) {
    const std::size_t end = std::min(text.find('.'), text.size());
    const std::string_view digits = text.substr(0, end);
    if (digits.empty() || digits.size() > 3 || (digits.size() > 1 && digits[0] == '0') ||
        digits.find_first_not_of("0123456789") != std::string_view::npos) {
      return false;
    }
    int value = 0;
    for (char c : digits)
      value = value * 10 + (c - '0');
    if (value > 255) return false;
    out[part] = static_cast<std::uint8_t>(value);
    text.remove_prefix(end);
    if (part < 3) {
      if (text.empty()) return false;
      text.remove_prefix(1);
    }
  }
  return text.empty();
}

bool ParseV6(std::string_view text, std::array<std::uint8_t, 16>& out) {
  std::size_t at = 0;
  std::optional<std::size_t> gap;
  if (text.substr(0, 2) == "::") {
    gap = 0;
    text.remove_prefix(2);
  }
  while (!text.empty() && at < 16) {
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view group = text.substr(0, end);
    if (group.find('.') != std::string_view::npos) {
      if (at > 12 || end != text.size() || !ParseV4(group, &out[at])) return false;
      at += 4;
      text = {};
      break;
    }
    if (group.empty() || group.size() > 4 ||
        group.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
      return false;
    }
    const auto value = static_cast<unsigned>(std::stoul(std::string(group), nullptr, 16));
    out[at++] = static_cast<std::uint8_t>(value >> 8U);
    out[at++] = static_cast<std::uint8_t>(value & 0xffU);
    text.remove_prefix(end);
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return false;
    if (text[0] == ':') {
      if (gap) return false;
      gap = at;
      text.remove_prefix(1);
    }
  }
  if (!text.empty() || (at < 16) != gap.has_value()) return false;
  if (gap) {
    const auto middle = out.begin() + static_cast<std::ptrdiff_t>(*gap);
    const auto end = out.begin() + static_cast<std::ptrdiff_t>(at);
    std::move_backward(middle, end, out.end());
    std::fill(middle, middle + static_cast<std::ptrdiff_t>(16 - at), std::uint8_t{0});
  }
  return true;
}

std::string V6Text(const std::array<std::uint8_t, 16>& bytes) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i)
    groups[i] = static_cast<unsigned>(bytes[2 * i] << 8U | bytes[2 * i + 1]);
  std::size_t gap = 8, gap_size = 1;  // The longest run of two zeros or more.
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0)
      ++end;
    if (end - i > gap_size) {
      gap = i;
      gap_size = end - i;
    }
  }
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      out += "::";
      i += gap_size - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    std::array<char, 8> digits{};
    std::snprintf(digits.data(), digits.size(), "%x", groups[i]);
    out += digits.data();
  }
  return out;
}

// Bits of the address in the 16-byte form that the prefix covers.
int FullPrefix(const IpNetwork& network) {
  return network.prefix + (network.address.is_v4 ? 96 : 0);
}

template <typename Change>
IpAddress ChangeHostBits(const IpNetwork& network, Change change) {
  IpAddress out = network.address;
  int keep = FullPrefix(network);
  for (std::uint8_t& byte : out.bytes) {
    const int kept = std::clamp(keep, 0, 8);
    const auto host = static_cast<std::uint8_t>(0xffU >> static_cast<unsigned>(kept));
    byte = change(byte, host);
    keep -= 8;
  }
  return out;
}

}  // namespace

IpAddress IpNetwork::First() const {
  return ChangeHostBits(
      *this, [](unsigned byte, unsigned host) { return static_cast<std::uint8_t>(byte & ~host); });
}

IpAddress IpNetwork::Last() const {
  return ChangeHostBits(
      *this, [](unsigned byte, unsigned host) { return static_cast<std::uint8_t>(byte | host); });
}

bool IpNetwork::Contains(const IpAddress& ip) const {
  return ip.is_v4 == address.is_v4 && First() <= ip && ip <= Last();
}

std::string IpNetwork::ToText() const {
  return IpText(address) + "/" + std::to_string(prefix);
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  IpAddress out;
  if (text.find(':') == std::string_view::npos) {
    std::copy(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
    out.is_v4 = true;
    if (!ParseV4(text, &out.bytes[kV4Start])) return std::nullopt;
    return out;
  }
  if (!ParseV6(text, out.bytes)) return std::nullopt;
  out.is_v4 = std::equal(kV4Prefix.begin(), kV4Prefix.end(), out.bytes.begin());
  return out;
}

std::string IpText(const IpAddress& ip) {
  if (!ip.is_v4) return V6Text(ip.bytes);
  std::string out;
  for (std::size_t i = kV4Start; i < 16; ++i) {
    out += (i > kV4Start ? "." : "") + std::to_string(ip.bytes[i]);
  }
  return out;
}

std::optional<IpNetwork> ParseCidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view bits = text.substr(slash + 1);
  auto ip = ParseIp(text.substr(0, slash));
  if (!ip || bits.empty() || bits.size() > 3 ||
      bits.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  const bool written_v6 = text.find(':') < slash;
  int prefix = std::stoi(std::string(bits));
  if (prefix > (written_v6 ? 128 : 32)) return std::nullopt;
  if (written_v6 && ip->is_v4) {
    // ::ffff:1.2.3.4/n is an IPv4 network while the mask keeps the ::ffff.
    ip->is_v4 = prefix >= 96;
    if (ip->is_v4) prefix -= 96;
  }
  IpNetwork network{*ip, prefix};
  network.address = network.First();
  return network;
}

std::optional<IpAddress> NextIp(const IpAddress& ip) {
  IpAddress out = ip;
  const std::size_t start = ip.is_v4 ? kV4Start : 0;
  for (std::size_t i = 16; i-- > start;) {
    if (++out.bytes[i] != 0) return out;
  }
  return std::nullopt;
}

std::vector<IpNetwork> RangeToNetworks(IpAddress first, const IpAddress& last) {
  std::vector<IpNetwork> out;
  const int width = first.is_v4 ? 32 : 128;
  while (true) {
    // The widest network that starts at `first` and does not pass `last`.
    IpNetwork network{first, width};
    for (int prefix = width - 1; prefix >= 0; --prefix) {
      const IpNetwork wider{first, prefix};
      if (wider.First() != first || wider.Last() > last) break;
      network = wider;
    }
    out.push_back(network);
    const auto next = NextIp(network.Last());
    if (!next || *next > last) return out;
    first = *next;
  }
}

}  // namespace kata_cc::policy
