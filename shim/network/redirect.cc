// SPDX-License-Identifier: Apache-2.0
#include "shim/network/redirect.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>

#include <cstring>
#include <vector>

#include "base/netlink.h"

namespace kata_cc::shim {
namespace {

constexpr std::uint16_t kCreate = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
constexpr std::uint32_t kIngress = 0xffff0000;  // The handle that an ingress queue has.
// By it a filter of ours is known again.
constexpr std::uint32_t kPriority = 0x4b43;

Result<int> IndexOf(NetlinkSocket& socket, const std::string& name) {
  int index = 0;
  TRY(socket.Dump(NetlinkRequest(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}),
                  [&](std::uint16_t type, ByteView message) {
                    if (type != RTM_NEWLINK) return;
                    const auto body = ParseBody<ifinfomsg>(message);
                    for (const auto& one : ParseAttributes(message, sizeof(body)))
                      if (one.type == IFLA_IFNAME && one.AsText() == name) index = body.ifi_index;
                  }));
  if (index == 0) return Error(Code::kNotFound, name + ": no such interface");
  return index;
}

tcmsg QueueBody(int link) {
  tcmsg body = {};
  body.tcm_family = AF_UNSPEC;
  body.tcm_ifindex = link;
  body.tcm_handle = kIngress;
  body.tcm_parent = TC_H_INGRESS;
  return body;
}

tcmsg FilterBody(int link) {
  tcmsg body = {};
  body.tcm_family = AF_UNSPEC;
  body.tcm_ifindex = link;
  body.tcm_parent = kIngress;
  body.tcm_info = kPriority << 16 | htons(ETH_P_ALL);
  return body;
}

Result<void> AddQueue(NetlinkSocket& socket, int link) {
  NetlinkRequest request(RTM_NEWQDISC, kCreate, QueueBody(link));
  request.AddText(TCA_KIND, "ingress");
  return socket.Change(std::move(request));
}

// A key that masks everything away matches everything.
Bytes MatchAll() {
  tc_u32_sel selector = {};
  selector.flags = TC_U32_TERMINAL;
  selector.nkeys = 1;
  Bytes match(sizeof(selector) + sizeof(tc_u32_key));
  std::memcpy(match.data(), &selector, sizeof(selector));
  return match;
}

Result<void> Redirect(NetlinkSocket& socket, int from, int to) {
  tc_mirred mirred = {};
  mirred.action = TC_ACT_STOLEN;
  mirred.eaction = TCA_EGRESS_REDIR;
  mirred.ifindex = static_cast<std::uint32_t>(to);
  const ByteView parameters(reinterpret_cast<const std::uint8_t*>(&mirred), sizeof(mirred));
  NetlinkRequest request(RTM_NEWTFILTER, kCreate, FilterBody(from));
  request.AddText(TCA_KIND, "u32");
  request.AddNested(TCA_OPTIONS, [&](NetlinkRequest& options) {
    options.Add(TCA_U32_SEL, MatchAll());
    options.AddNested(TCA_U32_ACT, [&](NetlinkRequest& actions) {
      actions.AddNested(1, [&](NetlinkRequest& action) {
        action.AddText(TCA_ACT_KIND, "mirred");
        action.AddNested(TCA_ACT_OPTIONS,
                         [&](NetlinkRequest& it) { it.Add(TCA_MIRRED_PARMS, parameters); });
      });
    });
  });
  return socket.Change(std::move(request));
}

// Interfaces with an ingress queue.
Result<std::vector<int>> QueuedLinks(NetlinkSocket& socket) {
  std::vector<int> links;
  TRY(socket.Dump(NetlinkRequest(RTM_GETQDISC, NLM_F_DUMP, tcmsg{}),
                  [&](std::uint16_t type, ByteView message) {
                    const auto body = ParseBody<tcmsg>(message);
                    if (type == RTM_NEWQDISC && body.tcm_parent == TC_H_INGRESS)
                      links.push_back(body.tcm_ifindex);
                  }));
  return links;
}

Result<bool> HasOurFilter(NetlinkSocket& socket, int link) {
  bool ours = false;
  tcmsg body = FilterBody(link);
  body.tcm_info = 0;
  TRY(socket.Dump(NetlinkRequest(RTM_GETTFILTER, NLM_F_DUMP, body),
                  [&](std::uint16_t type, ByteView message) {
                    const auto filter = ParseBody<tcmsg>(message);
                    if (type == RTM_NEWTFILTER && filter.tcm_info >> 16 == kPriority) ours = true;
                  }));
  return ours;
}

}  // namespace

Result<void> MoveLink(const std::string& name, const UniqueFd& netns, const std::string& new_name) {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  ifinfomsg body = {};
  body.ifi_index = TRY(IndexOf(socket, name));
  NetlinkRequest request(RTM_NEWLINK, NLM_F_ACK, body);
  request.Add(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns.get()));
  request.AddText(IFLA_IFNAME, new_name);
  TRY_CONTEXT(socket.Change(std::move(request)), "move " + name);
  return {};
}

Result<void> JoinLinks(int link, const std::string& tap) {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  const int tap_index = TRY(IndexOf(socket, tap));
  for (const int one : {link, tap_index})
    TRY_CONTEXT(AddQueue(socket, one), "ingress queue");
  TRY_CONTEXT(Redirect(socket, link, tap_index), "redirect to " + tap);
  TRY_CONTEXT(Redirect(socket, tap_index, link), "redirect from " + tap);
  ifinfomsg body = {};
  body.ifi_index = tap_index;
  body.ifi_flags = body.ifi_change = IFF_UP;
  TRY_CONTEXT(socket.Change(NetlinkRequest(RTM_NEWLINK, NLM_F_ACK, body)), tap + ": up");
  return {};
}

Result<void> RemoveJoins() {
  NetlinkSocket socket = TRY(NetlinkSocket::Open());
  const std::vector<int> queued = TRY(QueuedLinks(socket));
  for (const int link : queued) {
    if (!TRY(HasOurFilter(socket, link))) continue;
    const Result<void> gone =
        socket.Change(NetlinkRequest(RTM_DELQDISC, NLM_F_ACK, QueueBody(link)));
    if (!gone && gone.error().code() != Code::kNotFound) return gone;
  }
  return {};
}

}  // namespace kata_cc::shim
