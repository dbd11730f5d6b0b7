// SPDX-License-Identifier: Apache-2.0
#include "agent/network/network.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "base/netlink.h"

namespace kata_cc::agent {
namespace {

constexpr std::size_t kMacBytes = 6;
constexpr std::uint16_t kChange = NLM_F_ACK;
constexpr std::uint16_t kReplace = NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;

struct Link {
  int index = 0;
  std::string name;
  std::string mac;
  std::uint32_t mtu = 0;
  std::uint32_t flags = 0;
  bool loopback = false;
};

struct Address {
  std::uint8_t family = AF_UNSPEC;
  std::uint8_t prefix = 0;
  Bytes bytes;
};

Error Refused(const std::string& what) {
  return {Code::kInvalidArgument, "network: " + what};
}

Result<Bytes> ParseMac(const std::string& text) {
  Bytes mac;
  for (std::size_t at = 0; at < text.size(); at += 3) {
    unsigned value = 0;
    const char* const start = text.data() + at;
    const char* const end = text.data() + std::min(at + 2, text.size());
    const auto parsed = std::from_chars(start, end, value, 16);
    const bool separated = at + 2 == text.size() || (at + 2 < text.size() && text[at + 2] == ':');
    if (parsed.ec != std::errc() || parsed.ptr != start + 2 || !separated) break;
    mac.push_back(static_cast<std::uint8_t>(value));
  }
  if (mac.size() != kMacBytes || text.size() != kMacBytes * 3 - 1) {
    return Refused("not a MAC address");
  }
  return mac;
}

std::string MacText(ByteView mac) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : mac) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

// Without a prefix: the whole address.
Result<Address> ParseAddress(const std::string& text, const std::string& prefix) {
  Address address;
  address.bytes.resize(16);
  if (::inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.family = AF_INET;
    address.bytes.resize(4);
  } else if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) {
    address.family = AF_INET6;
  } else {
    return Refused("not an IP address");
  }
  const auto bits = static_cast<unsigned>(address.bytes.size() * 8);
  unsigned value = bits;
  if (!prefix.empty()) {
    const char* const end = prefix.data() + prefix.size();
    const auto parsed = std::from_chars(prefix.data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value > bits) {
      return Refused("not a prefix's length");
    }
  }
  address.prefix = static_cast<std::uint8_t>(value);
  return address;
}

Result<Address> ParseNetwork(const std::string& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) return ParseAddress(text, "");
  if (slash + 1 == text.size()) return Refused("not a prefix's length");
  return ParseAddress(text.substr(0, slash), text.substr(slash + 1));
}

std::string AddressText(ByteView bytes) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  return ::inet_ntop(family, bytes.data(), text.data(), text.size()) == nullptr ? std::string()
                                                                                : text.data();
}

bool IsLinkName(const std::string& name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c > ' ' && c < '\x7f' && c != '/' && c != ':'; });
}

Result<std::vector<Link>> Links(NetlinkSocket& socket) {
  std::vector<Link> links;
  TRY(socket.Dump(NetlinkRequest(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}),
                  [&](std::uint16_t type, ByteView message) {
                    if (type != RTM_NEWLINK) return;
                    const auto body = ParseBody<ifinfomsg>(message);
                    Link link;
                    link.index = body.ifi_index;
                    link.flags = body.ifi_flags;
                    link.loopback = (body.ifi_flags & IFF_LOOPBACK) != 0;
                    for (const auto& one : ParseAttributes(message, sizeof(body))) {
                      if (one.type == IFLA_IFNAME) link.name = one.AsText();
                      if (one.type == IFLA_MTU) link.mtu = one.AsNumber();
                      if (one.type == IFLA_ADDRESS) link.mac = MacText(one.value);
                    }
                    links.push_back(std::move(link));
                  }));
  return links;
}

Result<Link> LinkByName(NetlinkSocket& socket, const std::string& name) {
  const std::vector<Link> links = TRY(Links(socket));
  for (const Link& link : links) {
    if (link.name != name) continue;
    if (link.loopback) return Refused("the loopback interface is not to be changed");
    return link;
  }
  return Error(Code::kNotFound, "network: Link not found: " + name);
}

struct AddressOfLink {
  int index = 0;
  std::uint8_t scope = 0;
  Address address;
};

Result<std::vector<AddressOfLink>> Addresses(NetlinkSocket& socket) {
  std::vector<AddressOfLink> addresses;
  TRY(socket.Dump(NetlinkRequest(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}),
                  [&](std::uint16_t type, ByteView message) {
                    if (type != RTM_NEWADDR) return;
                    const auto body = ParseBody<ifaddrmsg>(message);
                    AddressOfLink one;
                    one.index = static_cast<int>(body.ifa_index);
                    one.scope = body.ifa_scope;
                    one.address.family = body.ifa_family;
                    one.address.prefix = body.ifa_prefixlen;
                    for (const auto& attribute : ParseAttributes(message, sizeof(body))) {
                      // The local one goes before the peer's.
                      const bool local = attribute.type == IFA_LOCAL;
                      if (local || (attribute.type == IFA_ADDRESS && one.address.bytes.empty())) {
                        one.address.bytes.assign(attribute.value.begin(), attribute.value.end());
                      }
                    }
                    addresses.push_back(std::move(one));
                  }));
  return addresses;
}

Result<void> ChangeAddress(NetlinkSocket& socket, bool add, int index, const Address& address) {
  ifaddrmsg body = {};
  body.ifa_family = address.family;
  body.ifa_prefixlen = address.prefix;
  body.ifa_index = static_cast<unsigned>(index);
  // No duplicate detection: nobody else has the pod's address, and it takes a second.
  if (address.family == AF_INET6) body.ifa_flags = IFA_F_NODAD;
  NetlinkRequest request(add ? RTM_NEWADDR : RTM_DELADDR, add ? kReplace : kChange, body);
  request.Add(IFA_LOCAL, address.bytes);
  request.Add(IFA_ADDRESS, address.bytes);
  return socket.Change(std::move(request));
}

ifinfomsg LinkBody(int index, unsigned flags, unsigned change) {
  ifinfomsg body = {};
  body.ifi_index = index;
  body.ifi_flags = flags;
  body.ifi_change = change;
  return body;
}

Result<void> SetFlags(NetlinkSocket& socket, int index, unsigned flags, unsigned mask) {
  return socket.Change(NetlinkRequest(RTM_NEWLINK, kChange, LinkBody(index, flags, mask)));
}

Result<void> Rename(NetlinkSocket& socket, int index, const std::string& name) {
  TRY(SetFlags(socket, index, 0, IFF_UP));  // An interface in use keeps its name.
  NetlinkRequest request(RTM_NEWLINK, kChange, LinkBody(index, 0, 0));
  request.AddText(IFLA_IFNAME, name);
  return socket.Change(std::move(request));
}

// Whoever has the name gets the other one's.
Result<void> TakeName(NetlinkSocket& socket, const std::vector<Link>& links, const Link& link,
                      const std::string& name) {
  if (link.name == name) return {};
  const auto holder =
      std::find_if(links.begin(), links.end(), [&](const Link& one) { return one.name == name; });
  if (holder == links.end()) return Rename(socket, link.index, name);
  if (holder->loopback) return Refused("the loopback interface is not to be changed");
  TRY(Rename(socket, holder->index, "kcc-tmp" + std::to_string(holder->index)));
  TRY(Rename(socket, link.index, name));
  TRY(Rename(socket, holder->index, link.name));
  return SetFlags(socket, holder->index, holder->flags & IFF_UP, IFF_UP);
}

Result<void> AddRoute(NetlinkSocket& socket, const types::Route& route) {
  const Link link = TRY(LinkByName(socket, route.device()));
  rtmsg body = {};
  body.rtm_family = route.family() == types::v6 ? AF_INET6 : AF_INET;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_BOOT;
  body.rtm_scope = static_cast<unsigned char>(route.scope());
  body.rtm_type = RTN_UNICAST;
  body.rtm_flags = route.flags() & RTNH_F_ONLINK;
  std::optional<Address> destination;
  std::optional<Address> gateway;
  std::optional<Address> source;
  if (!route.dest().empty() && route.dest() != "default") {
    destination = TRY(ParseNetwork(route.dest()));
  }
  if (!route.gateway().empty()) gateway = TRY(ParseAddress(route.gateway(), ""));
  if (!route.source().empty()) source = TRY(ParseAddress(route.source(), ""));
  for (const auto* one : {&destination, &gateway, &source}) {
    if (*one && (*one)->family != body.rtm_family) return Refused("a route of two families");
  }
  if (destination) body.rtm_dst_len = destination->prefix;
  NetlinkRequest request(RTM_NEWROUTE, kReplace, body);
  if (destination) request.Add(RTA_DST, destination->bytes);
  if (gateway) request.Add(RTA_GATEWAY, gateway->bytes);
  if (source) request.Add(RTA_PREFSRC, source->bytes);
  request.Add(RTA_OIF, static_cast<std::uint32_t>(link.index));
  if (route.mtu() != 0) {
    request.AddNested(RTA_METRICS, [&](NetlinkRequest& r) { r.Add(RTAX_MTU, route.mtu()); });
  }
  auto added = socket.Change(std::move(request));
  if (!added && added.error().code() == Code::kAlreadyExists) return {};
  return added;
}

types::Interface Describe(const Link& link, const std::vector<AddressOfLink>& addresses) {
  types::Interface out;
  out.set_device(link.name);
  out.set_name(link.name);
  out.set_hwaddr(link.mac);
  out.set_mtu(link.mtu);
  out.set_raw_flags(link.flags & IFF_NOARP);
  for (const AddressOfLink& one : addresses) {
    if (one.index != link.index) continue;
    types::IPAddress& added = *out.add_ipaddresses();
    added.set_family(one.address.family == AF_INET6 ? types::v6 : types::v4);
    added.set_address(AddressText(one.address.bytes));
    added.set_mask(std::to_string(one.address.prefix));
  }
  return out;
}

}  // namespace

Result<types::Interface> UpdateInterface(const types::Interface& wanted) {
  const std::string mac = MacText(TRY(ParseMac(wanted.hwaddr())));
  if (!IsLinkName(wanted.name())) return Refused("not an interface's name");
  if (wanted.mtu() > 65535) return Refused("not an MTU");
  std::vector<Address> addresses;
  for (const types::IPAddress& one : wanted.ipaddresses())
    addresses.push_back(TRY(ParseAddress(one.address(), one.mask())));

  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  const std::vector<Link> links = TRY(Links(socket));
  const auto link = std::find_if(links.begin(), links.end(),
                                 [&](const Link& one) { return one.mac == mac && !one.loopback; });
  if (link == links.end()) return Error(Code::kNotFound, "network: Link not found: " + mac);
  TRY_CONTEXT(TakeName(socket, links, *link, wanted.name()), "network: rename");
  const std::vector<AddressOfLink> before = TRY(Addresses(socket));
  for (const AddressOfLink& old : before) {
    if (old.index != link->index || old.scope == RT_SCOPE_LINK) continue;
    TRY_CONTEXT(ChangeAddress(socket, false, link->index, old.address), "network: address");
  }
  if (wanted.mtu() != 0) {
    NetlinkRequest request(RTM_NEWLINK, kChange, LinkBody(link->index, 0, 0));
    request.Add(IFLA_MTU, static_cast<std::uint32_t>(wanted.mtu()));
    TRY_CONTEXT(socket.Change(std::move(request)), "network: MTU");
  }
  for (const Address& address : addresses)
    TRY_CONTEXT(ChangeAddress(socket, true, link->index, address), "network: address");
  const unsigned no_arp = wanted.raw_flags() & IFF_NOARP;
  TRY_CONTEXT(SetFlags(socket, link->index, IFF_UP | no_arp, IFF_UP | IFF_NOARP), "network: up");

  const grpc::Interfaces now = TRY(ListInterfaces());
  for (const types::Interface& one : now.interfaces())
    if (one.name() == wanted.name()) return one;
  return Error(Code::kNotFound, "network: Link not found: " + wanted.name());
}

Result<grpc::Routes> UpdateRoutes(const grpc::Routes& wanted) {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  for (const bool with_gateway : {false, true}) {
    for (const types::Route& route : wanted.routes()) {
      if (route.gateway().empty() == with_gateway) continue;
      TRY_CONTEXT(AddRoute(socket, route), "route " + route.dest());
    }
  }
  return ListRoutes();
}

Result<void> AddNeighbors(const grpc::ARPNeighbors& neighbors) {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  for (const types::ARPNeighbor& one : neighbors.arpneighbors()) {
    const Link link = TRY(LinkByName(socket, one.device()));
    const Address address = TRY(ParseAddress(one.toipaddress().address(), ""));
    if (one.state() < 0 || one.state() > 0xff || one.flags() < 0 || one.flags() > 0xff) {
      return Refused("not a neighbour's state and flags");
    }
    ndmsg body = {};
    body.ndm_family = address.family;
    body.ndm_ifindex = link.index;
    body.ndm_state = static_cast<std::uint16_t>(one.state() == 0 ? NUD_PERMANENT : one.state());
    body.ndm_flags = static_cast<std::uint8_t>(one.flags());
    NetlinkRequest request(RTM_NEWNEIGH, kReplace, body);
    request.Add(NDA_DST, address.bytes);
    if (!one.lladdr().empty()) {
      const Bytes mac = TRY(ParseMac(one.lladdr()));
      request.Add(NDA_LLADDR, mac);
    }
    TRY_CONTEXT(socket.Change(std::move(request)), "network: neighbour");
  }
  return {};
}

Result<grpc::Interfaces> ListInterfaces() {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  const std::vector<Link> links = TRY(Links(socket));
  const std::vector<AddressOfLink> addresses = TRY(Addresses(socket));
  grpc::Interfaces out;
  for (const Link& link : links)
    *out.add_interfaces() = Describe(link, addresses);
  return out;
}

Result<grpc::Routes> ListRoutes() {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  std::vector<Link> links = TRY(Links(socket));
  grpc::Routes out;
  TRY(socket.Dump(NetlinkRequest(RTM_GETROUTE, NLM_F_DUMP, rtmsg{}), [&](std::uint16_t type,
                                                                         ByteView message) {
    const auto body = ParseBody<rtmsg>(message);
    if (type != RTM_NEWROUTE || body.rtm_table != RT_TABLE_MAIN || body.rtm_type != RTN_UNICAST) {
      return;
    }
    types::Route& route = *out.add_routes();
    route.set_family(body.rtm_family == AF_INET6 ? types::v6 : types::v4);
    route.set_scope(body.rtm_scope);
    route.set_flags(body.rtm_flags & RTNH_F_ONLINK);
    for (const auto& one : ParseAttributes(message, sizeof(body))) {
      if (one.type == RTA_DST) {
        route.set_dest(AddressText(one.value) + "/" + std::to_string(body.rtm_dst_len));
      }
      if (one.type == RTA_GATEWAY) route.set_gateway(AddressText(one.value));
      if (one.type == RTA_PREFSRC) route.set_source(AddressText(one.value));
      if (one.type != RTA_OIF) continue;
      for (const Link& link : links)
        if (link.index == static_cast<int>(one.AsNumber())) route.set_device(link.name);
    }
  }));
  return out;
}

}  // namespace kata_cc::agent
