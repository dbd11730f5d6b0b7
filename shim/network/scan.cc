// SPDX-License-Identifier: Apache-2.0
#include "shim/network/scan.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/netlink.h"

namespace kata_cc::shim {
namespace {

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

std::string AddressText(ByteView bytes) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  const char* shown = ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return shown == nullptr ? std::string() : shown;
}

types::IPFamily FamilyOf(unsigned char family) {
  return family == AF_INET6 ? types::v6 : types::v4;
}

struct Found {
  int index = 0;
  std::uint16_t hardware = 0;
  types::Interface interface;
};

Result<std::map<int, Found>> UpLinks(NetlinkSocket& socket) {
  std::map<int, Found> links;
  TRY(socket.Dump(NetlinkRequest(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}),
                  [&](std::uint16_t type, ByteView message) {
                    const auto body = ParseBody<ifinfomsg>(message);
                    if (type != RTM_NEWLINK || (body.ifi_flags & IFF_LOOPBACK) != 0 ||
                        (body.ifi_flags & IFF_UP) == 0)
                      return;
                    Found link;
                    link.index = body.ifi_index;
                    link.hardware = body.ifi_type;
                    link.interface.set_raw_flags(body.ifi_flags & IFF_NOARP);
                    for (const auto& one : ParseAttributes(message, sizeof(body))) {
                      if (one.type == IFLA_IFNAME) {
                        link.interface.set_name(one.AsText());
                        link.interface.set_device(one.AsText());
                      }
                      if (one.type == IFLA_MTU) link.interface.set_mtu(one.AsNumber());
                      if (one.type == IFLA_ADDRESS) link.interface.set_hwaddr(MacText(one.value));
                      if (one.type != IFLA_LINKINFO) continue;
                      for (const auto& inner : ParseAttributes(one.value, 0))
                        if (inner.type == IFLA_INFO_KIND) link.interface.set_type(inner.AsText());
                    }
                    links.emplace(link.index, std::move(link));
                  }));
  return links;
}

// The link's own scope is left out: the guest makes such addresses itself.
Result<void> AddAddresses(NetlinkSocket& socket, std::map<int, Found>* links) {
  return socket.Dump(NetlinkRequest(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{}), [&](std::uint16_t type,
                                                                               ByteView message) {
    const auto body = ParseBody<ifaddrmsg>(message);
    const auto link = links->find(static_cast<int>(body.ifa_index));
    if (type != RTM_NEWADDR || link == links->end() || body.ifa_scope >= RT_SCOPE_LINK) return;
    std::string local;
    std::string peer;
    for (const auto& one : ParseAttributes(message, sizeof(body))) {
      if (one.type == IFA_LOCAL) local = AddressText(one.value);
      if (one.type == IFA_ADDRESS) peer = AddressText(one.value);
    }
    types::IPAddress& address = *link->second.interface.add_ipaddresses();
    address.set_family(FamilyOf(body.ifa_family));
    address.set_address(local.empty() ? peer : local);
    address.set_mask(std::to_string(body.ifa_prefixlen));
  });
}

Result<grpc::Routes> Routes(NetlinkSocket& socket, const std::map<int, Found>& links) {
  grpc::Routes routes;
  std::optional<Error> error;
  TRY(socket.Dump(NetlinkRequest(RTM_GETROUTE, NLM_F_DUMP, rtmsg{}), [&](std::uint16_t type,
                                                                         ByteView message) {
    const auto body = ParseBody<rtmsg>(message);
    if (type != RTM_NEWROUTE || body.rtm_table != RT_TABLE_MAIN || body.rtm_type != RTN_UNICAST ||
        body.rtm_protocol == RTPROT_KERNEL || (body.rtm_flags & RTM_F_CLONED) != 0)
      return;
    types::Route route;
    route.set_family(FamilyOf(body.rtm_family));
    route.set_scope(body.rtm_scope);
    route.set_flags(body.rtm_flags & RTNH_F_ONLINK);
    int index = 0;
    bool several = false;
    for (const auto& one : ParseAttributes(message, sizeof(body))) {
      if (one.type == RTA_DST)
        route.set_dest(AddressText(one.value) + "/" + std::to_string(body.rtm_dst_len));
      if (one.type == RTA_GATEWAY) route.set_gateway(AddressText(one.value));
      if (one.type == RTA_PREFSRC) route.set_source(AddressText(one.value));
      if (one.type == RTA_OIF) index = static_cast<int>(one.AsNumber());
      // A gateway of the other family (RTA_VIA) is none that the agent API can say, either.
      if (one.type == RTA_MULTIPATH || one.type == RTA_VIA) several = true;
      if (one.type != RTA_METRICS) continue;
      for (const auto& metric : ParseAttributes(one.value, 0))
        if (metric.type == RTAX_MTU) route.set_mtu(metric.AsNumber());
    }
    const auto link = links.find(index);
    if (several)
      error.emplace(Code::kUnimplemented,
                    "route to " + (route.dest().empty() ? "default" : route.dest()) +
                        ": its next hops are several, or of the other family");
    if (several || link == links.end()) return;
    route.set_device(link->second.interface.name());
    *routes.add_routes() = std::move(route);
  }));
  if (error) return *std::move(error);
  return routes;
}

Result<grpc::ARPNeighbors> Neighbors(NetlinkSocket& socket, const std::map<int, Found>& links,
                                     const grpc::Routes& routes) {
  std::set<std::string> gateways;
  for (const types::Route& route : routes.routes())
    gateways.insert(route.gateway());
  grpc::ARPNeighbors neighbors;
  TRY(socket.Dump(
      NetlinkRequest(RTM_GETNEIGH, NLM_F_DUMP, ndmsg{}), [&](std::uint16_t type, ByteView message) {
        const auto body = ParseBody<ndmsg>(message);
        const auto link = links.find(body.ndm_ifindex);
        if (type != RTM_NEWNEIGH || link == links.end() || (body.ndm_flags & NTF_PROXY) != 0)
          return;
        types::ARPNeighbor one;
        for (const auto& attribute : ParseAttributes(message, sizeof(body))) {
          if (attribute.type == NDA_DST)
            one.mutable_toipaddress()->set_address(AddressText(attribute.value));
          if (attribute.type == NDA_LLADDR) one.set_lladdr(MacText(attribute.value));
        }
        const bool gateway =
            (body.ndm_state & NUD_REACHABLE) != 0 && gateways.contains(one.toipaddress().address());
        if ((body.ndm_state & NUD_PERMANENT) == 0 && !gateway) return;
        if (one.toipaddress().address().empty() || one.lladdr().empty()) return;
        one.mutable_toipaddress()->set_family(FamilyOf(body.ndm_family));
        one.set_device(link->second.interface.name());
        one.set_state(body.ndm_state);
        *neighbors.add_arpneighbors() = std::move(one);
      }));
  return neighbors;
}

}  // namespace

Result<PodConfiguration> ScanNetwork() {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  std::map<int, Found> links = TRY(UpLinks(socket));
  TRY(AddAddresses(socket, &links));
  std::erase_if(links, [](const auto& one) { return one.second.interface.ipaddresses().empty(); });
  PodConfiguration out;
  for (const auto& [index, link] : links) {
    if (link.hardware != ARPHRD_ETHER)
      return Error(Code::kUnimplemented,
                   "interface " + link.interface.name() + ": it is not Ethernet");
    out.links.push_back({index, link.interface});
  }
  if (out.links.empty()) return out;
  out.routes = TRY(Routes(socket, links));
  out.neighbors = TRY(Neighbors(socket, links, out.routes));
  return out;
}

}  // namespace kata_cc::shim
