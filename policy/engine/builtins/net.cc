// SPDX-License-Identifier: Apache-2.0
// Networks: net.cidr_*.
#include <algorithm>
#include <array>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/ip_network.h"
#include "policy/engine/builtins/operands.h"

namespace kata_cc::policy {
namespace {

constexpr std::uint64_t kParseSteps = 4;

Error BadCidr(std::string_view text) {
  return BuiltinError("invalid CIDR address: " + std::string(text));
}

Result<IpNetwork> Network(std::string_view text) {
  const auto network = ParseCidr(text);
  if (!network) return BadCidr(text);
  return *network;
}

Result<IpNetwork> NetworkOperand(Operands x, std::size_t i) {
  const std::string_view text = TRY(StringOperand(x, i));
  return Network(text);
}

// A network inside the network, or an address.
Result<bool> ContainsText(const IpNetwork& network, std::string_view text) {
  if (const auto ip = ParseIp(text)) return network.Contains(*ip);
  const auto inner = ParseCidr(text);
  if (!inner) {
    return BuiltinError("not a valid textual representation of an IP address or CIDR: " +
                        std::string(text));
  }
  return network.Contains(inner->First()) && network.Contains(inner->Last());
}

BuiltinResult Contains(BuiltinContext& context, Operands x) {
  TRY(context.Charge(kParseSteps));
  const IpNetwork network = TRY(NetworkOperand(x, 0));
  const std::string_view text = TRY(StringOperand(x, 1));
  const bool contains = TRY(ContainsText(network, text));
  return Value::Bool(contains);
}

BuiltinResult Intersects(BuiltinContext& context, Operands x) {
  TRY(context.Charge(kParseSteps));
  const IpNetwork a = TRY(NetworkOperand(x, 0));
  const IpNetwork b = TRY(NetworkOperand(x, 1));
  return Value::Bool(a.Contains(b.First()) || b.Contains(a.First()));
}

BuiltinResult IsValid(BuiltinContext&, Operands x) {
  return Value::Bool(x[0].is_string() && ParseCidr(x[0].string()).has_value());
}

BuiltinResult Expand(BuiltinContext& context, Operands x) {
  const IpNetwork network = TRY(NetworkOperand(x, 0));
  const int host_bits = (network.address.is_v4 ? 32 : 128) - network.prefix;
  constexpr int kMaxHostBits = 40;
  constexpr std::uint64_t kTextBytes = 64;
  if (host_bits > kMaxHostBits) {
    return Error(Code::kResourceExhausted, "network of too many addresses");
  }
  const std::uint64_t count = std::uint64_t{1} << static_cast<unsigned>(host_bits);
  TRY(context.Charge(count * kParseSteps, count * kTextBytes));
  std::vector<Value> addresses;
  addresses.reserve(count);
  std::optional<IpAddress> at = network.First();
  for (std::uint64_t i = 0; i < count && at; ++i, at = NextIp(*at)) {
    addresses.push_back(Value::String(IpText(*at)));
  }
  return Value::Set(std::move(addresses));
}

// One text of cidr_contains_matches and the key that the result names it by.
struct Named {
  Value name;
  std::string_view text;
};

Result<std::vector<Named>> NamedTexts(BuiltinContext& context, Operands x, std::size_t i) {
  std::vector<Named> out;
  const auto add = [&](const Value& name, const Value& value) -> Result<void> {
    TRY(context.Charge(kParseSteps));
    const Value* text = &value;
    if (value.is_array() && value.size() > 0) text = &value.items()[0];
    if (!text->is_string()) {
      return BuiltinError("operand " + std::to_string(i + 1) +
                          ": element must be string or non-empty array");
    }
    out.push_back({name, text->string()});
    return {};
  };
  switch (x[i].kind()) {
    case Kind::kString:
      TRY(add(x[i], x[i]));
      break;
    case Kind::kArray:
      for (std::size_t k = 0; k < x[i].size(); ++k) {
        TRY(add(Value::Int(static_cast<std::int64_t>(k)), x[i].items()[k]));
      }
      break;
    case Kind::kSet:
      for (const Value& item : x[i].items())
        TRY(add(item, item));
      break;
    case Kind::kObject:
      for (const Member& member : x[i].members())
        TRY(add(member.key, member.value));
      break;
    default:
      return OperandError(i + 1, "string, array, set, object", x[i]);
  }
  return out;
}

BuiltinResult ContainsMatches(BuiltinContext& context, Operands x) {
  const auto networks = TRY(NamedTexts(context, x, 0));
  const auto texts = TRY(NamedTexts(context, x, 1));
  std::vector<Value> matches;
  for (const Named& outer : networks) {
    const IpNetwork network = TRY(Network(outer.text));
    for (const Named& inner : texts) {
      TRY(context.Charge(kParseSteps, sizeof(Value) * 4));
      const bool contains = TRY(ContainsText(network, inner.text));
      if (contains) matches.push_back(Value::Array({outer.name, inner.name}));
    }
  }
  return Value::Set(std::move(matches));
}

// A plain IPv4 address stands for the network of its class, as in Go's DefaultMask.
Result<IpNetwork> NetworkOrAddress(std::string_view text) {
  if (const auto network = ParseCidr(text)) return *network;
  const auto ip = ParseIp(text);
  if (!ip) return BadCidr(text);
  if (!ip->is_v4) return BuiltinError("IPv6 invalid: needs prefix length");
  const unsigned first = ip->bytes[12];
  return IpNetwork{*ip, first < 0x80 ? 8 : first < 0xc0 ? 16 : 24};
}

BuiltinResult Merge(BuiltinContext& context, Operands x) {
  if (!x[0].is_array() && !x[0].is_set()) return OperandError(1, "set, array", x[0]);
  std::vector<IpNetwork> networks;
  for (const Value& item : x[0].items()) {
    if (!item.is_string()) return ElementError(1, x[0], item, "string");
    TRY(context.Charge(kParseSteps * 8));
    networks.push_back(TRY(NetworkOrAddress(item.string())));
  }
  std::sort(networks.begin(), networks.end(), [](const IpNetwork& a, const IpNetwork& b) {
    const IpAddress first_a = a.First(), first_b = b.First();
    return first_a != first_b ? first_a < first_b : a.Last() < b.Last();
  });
  std::vector<Value> out;
  for (std::size_t i = 0; i < networks.size();) {
    const IpAddress first = networks[i].First();
    IpAddress last = networks[i].Last();
    std::size_t end = i + 1;
    for (; end < networks.size(); ++end) {
      const IpAddress next = networks[end].First();
      const auto after = NextIp(last);
      if (next.is_v4 != last.is_v4 || (after && next > *after)) break;
      last = std::max(last, networks[end].Last());
    }
    if (end == i + 1) {
      out.push_back(Value::String(networks[i].ToText()));
    } else {
      TRY(context.Charge(1024));
      for (const IpNetwork& network : RangeToNetworks(first, last)) {
        out.push_back(Value::String(network.ToText()));
      }
    }
    i = end;
  }
  return Value::Set(std::move(out));
}

}  // namespace

std::span<const Builtin> NetBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"net.cidr_contains", 2, Contains},
      Builtin{"net.cidr_overlap", 2, Contains},
      Builtin{"net.cidr_contains_matches", 2, ContainsMatches},
      Builtin{"net.cidr_intersects", 2, Intersects},
      Builtin{"net.cidr_is_valid", 1, IsValid},
      Builtin{"net.cidr_expand", 1, Expand},
      Builtin{"net.cidr_merge", 1, Merge},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
