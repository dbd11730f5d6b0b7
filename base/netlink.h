// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7): requests to the kernel's network configuration, and its answers.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc {

// A request: a header of the type T, then attributes.
class NetlinkRequest {
 public:
  template <typename T>
  NetlinkRequest(std::uint16_t type, std::uint16_t flags, const T& body) {
    Append(&header_, sizeof(header_));
    Append(&body, sizeof(body));
    header_.nlmsg_type = type;
    header_.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  }

  void Add(std::uint16_t attribute, ByteView value);
  void Add(std::uint16_t attribute, std::uint32_t value);
  void AddText(std::uint16_t attribute, std::string_view text);
  // An attribute of attributes, added by fill.
  void AddNested(std::uint16_t attribute, const std::function<void(NetlinkRequest&)>& fill);

  // The bytes to send, with this sequence number.
  ByteView Finish(std::uint32_t sequence);

 private:
  void Append(const void* data, std::size_t size);

  nlmsghdr header_ = {};
  Bytes bytes_;
};

// An attribute of an answer; its value is a view into the answer.
struct NetlinkAttribute {
  std::uint16_t type;
  ByteView value;

  std::uint32_t AsNumber() const;  // Zero when it is no 32-bit number.
  std::string AsText() const;
};

// The attributes behind a body of body_size bytes; those that do not fit are left out.
std::vector<NetlinkAttribute> ParseAttributes(ByteView message, std::size_t body_size);

template <typename T>
T ParseBody(ByteView message) {
  T body = {};
  if (message.size() >= sizeof(T)) std::memcpy(&body, message.data(), sizeof(T));
  return body;
}

// Blocking; one thread at a time.
class NetlinkSocket {
 public:
  static Result<NetlinkSocket> Open();

  // A change: waits for the kernel's word. The error is its errno.
  Result<void> Change(NetlinkRequest request);
  // A dump: each called with every answer, without its header.
  Result<void> Dump(NetlinkRequest request,
                    const std::function<void(std::uint16_t type, ByteView message)>& each);

 private:
  explicit NetlinkSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  Result<void> Exchange(NetlinkRequest request,
                        const std::function<void(std::uint16_t, ByteView)>& each);

  UniqueFd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace kata_cc
