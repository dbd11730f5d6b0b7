// SPDX-License-Identifier: Apache-2.0
#include "base/netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/retry.h"

namespace kata_cc {
namespace {

constexpr std::size_t kAlign = 4;
constexpr std::size_t kBufferBytes = 65536;
constexpr timeval kPatience = {10, 0};

std::size_t Aligned(std::size_t size) {
  return (size + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

void NetlinkRequest::Append(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  bytes_.insert(bytes_.end(), bytes, bytes + size);
  bytes_.resize(Aligned(bytes_.size()));
}

void NetlinkRequest::Add(std::uint16_t attribute, ByteView value) {
  nlattr header = {};
  header.nla_len = static_cast<std::uint16_t>(sizeof(header) + value.size());
  header.nla_type = attribute;
  Append(&header, sizeof(header));
  Append(value.data(), value.size());
}

void NetlinkRequest::Add(std::uint16_t attribute, std::uint32_t value) {
  Bytes bytes(sizeof(value));
  std::memcpy(bytes.data(), &value, sizeof(value));
  Add(attribute, bytes);
}

void NetlinkRequest::AddText(std::uint16_t attribute, std::string_view text) {
  Bytes bytes(text.begin(), text.end());
  bytes.push_back(0);
  Add(attribute, bytes);
}

void NetlinkRequest::AddNested(std::uint16_t attribute,
                               const std::function<void(NetlinkRequest&)>& fill) {
  const std::size_t start = bytes_.size();
  Add(attribute, ByteView());
  fill(*this);
  const auto length = static_cast<std::uint16_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &length, sizeof(length));
}

ByteView NetlinkRequest::Finish(std::uint32_t sequence) {
  header_.nlmsg_len = static_cast<std::uint32_t>(bytes_.size());
  header_.nlmsg_seq = sequence;
  std::memcpy(bytes_.data(), &header_, sizeof(header_));
  return bytes_;
}

std::uint32_t NetlinkAttribute::AsNumber() const {
  std::uint32_t number = 0;
  if (value.size() == sizeof(number)) std::memcpy(&number, value.data(), sizeof(number));
  return number;
}

std::string NetlinkAttribute::AsText() const {
  return {value.begin(), std::find(value.begin(), value.end(), 0)};
}

std::vector<NetlinkAttribute> ParseAttributes(ByteView message, std::size_t body_size) {
  std::vector<NetlinkAttribute> attributes;
  std::size_t at = Aligned(body_size);
  while (at + sizeof(nlattr) <= message.size()) {
    nlattr header = {};
    std::memcpy(&header, message.data() + at, sizeof(header));
    if (header.nla_len < sizeof(header) || at + header.nla_len > message.size()) break;
    attributes.push_back({static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
                          message.subspan(at + sizeof(header), header.nla_len - sizeof(header))});
    at += Aligned(header.nla_len);
  }
  return attributes;
}

Result<NetlinkSocket> NetlinkSocket::Open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return ErrnoError(errno, "netlink");
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience)) != 0) {
    return ErrnoError(errno, "netlink");
  }
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) != 0) {
    return ErrnoError(errno, "netlink");
  }
  return NetlinkSocket(std::move(fd));
}

Result<void> NetlinkSocket::Exchange(NetlinkRequest request,
                                     const std::function<void(std::uint16_t, ByteView)>& each) {
  const ByteView bytes = request.Finish(++sequence_);
  if (RetryOnEintr([&] { return ::send(fd_.get(), bytes.data(), bytes.size(), 0); }) < 0) {
    return ErrnoError(errno, "netlink: send");
  }
  Bytes buffer(kBufferBytes);
  while (true) {
    const ssize_t n =
        RetryOnEintr([&] { return ::recv(fd_.get(), buffer.data(), buffer.size(), 0); });
    if (n < 0) return ErrnoError(errno, "netlink: receive");
    ByteView rest(buffer.data(), static_cast<std::size_t>(n));
    while (rest.size() >= sizeof(nlmsghdr)) {
      nlmsghdr header = {};
      std::memcpy(&header, rest.data(), sizeof(header));
      if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > rest.size()) break;
      const ByteView message = rest.subspan(sizeof(header), header.nlmsg_len - sizeof(header));
      rest = rest.subspan(std::min(Aligned(header.nlmsg_len), rest.size()));
      if (header.nlmsg_seq != sequence_) continue;
      if (header.nlmsg_type == NLMSG_ERROR) {
        const auto error = ParseBody<std::int32_t>(message);
        if (error == 0) return {};
        return ErrnoError(-error, "netlink");
      }
      if (header.nlmsg_type == NLMSG_DONE) return {};
      each(header.nlmsg_type, message);
    }
  }
}

Result<void> NetlinkSocket::Change(NetlinkRequest request) {
  return Exchange(std::move(request), [](std::uint16_t, ByteView) {});
}

Result<void> NetlinkSocket::Dump(NetlinkRequest request,
                                 const std::function<void(std::uint16_t, ByteView)>& each) {
  return Exchange(std::move(request), each);
}

}  // namespace kata_cc
