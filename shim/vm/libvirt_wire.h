// SPDX-License-Identifier: Apache-2.0
// What shim and kata-cc-libvirt say to each other: a datagram a message, on a socket pair that is
// the program's standard input. Request: verb, URI, domain's name, XML, each but the last ended by
// a NUL, which none of them holds. Answer: the Code as a number (0: done), NUL, text. A shim
// outlives an upgrade of the program: verbs may come, but what there is keeps its meaning.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::shim::libvirt_wire {

inline constexpr std::size_t kMaxMessageBytes = 128U << 10;  // Below what a socket takes at once.

struct Request {
  std::string verb;
  std::string uri;
  std::string name;
  std::string xml;
};

std::string Encode(const Request& request);
std::optional<Request> DecodeRequest(std::string_view bytes);
std::string Encode(const Result<std::string>& answer);
Result<std::string> DecodeAnswer(std::string_view bytes);

}  // namespace kata_cc::shim::libvirt_wire
