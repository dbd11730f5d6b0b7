// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 (RFC 9112), as little of it as the agent needs: a parser of requests (of workloads, to
// the local API) and of responses (of the key broker). Strict: what is ambiguous is refused.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace kata_cc::agent::http {

struct Limits {
  std::size_t head_bytes = std::size_t{16} << 10;
  std::size_t body_bytes = std::size_t{64} << 10;
  std::size_t headers = 64;
};

using Headers = std::vector<std::pair<std::string, std::string>>;  // Names in lower case.

struct Request {
  std::string method;
  std::string path;                          // Begins with '/'; as it came, not decoded.
  std::map<std::string, std::string> query;  // Decoded; a name comes once.
  Headers headers;
  std::string body;
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
};

// The value of the only header of this (lower-case) name; empty when there is none.
std::string_view Find(const Headers& headers, std::string_view name);

// A message in the bytes that have come so far. None: more are needed. InvalidArgument: it is
// malformed; ResourceExhausted: it is over a limit. Bytes after a request are an error: there is
// one request a connection.
Result<std::optional<Request>> ParseRequest(std::string_view bytes, const Limits& limits = {});
// at_end: no more bytes come, which ends a body of unknown length.
Result<std::optional<Response>> ParseResponse(std::string_view bytes, bool at_end,
                                              const Limits& limits = {});

}  // namespace kata_cc::agent::http
