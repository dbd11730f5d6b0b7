// SPDX-License-Identifier: Apache-2.0
// HttpsClient: one exchange a connection with one server, known by the certificates that it is
// given and by no others: there is no store of public authorities in the guest.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "agent/http/message.h"
#include "base/result.h"

namespace kata_cc::agent::http {

struct Url {
  std::string host;  // A name or an address; without the brackets of an IPv6 address.
  std::string port;
};

// "https://host[:port]", and nothing after it.
Result<Url> ParseUrl(const std::string& url);

class HttpsClient {
 public:
  struct Options {
    std::string url;
    std::string certificates;  // PEM: the server's own, or of who issued it.
    std::chrono::milliseconds timeout = std::chrono::seconds(30);  // Of one exchange, in all.
    Limits limits = {std::size_t{16} << 10, std::size_t{4} << 20, 64};
  };
  static Result<std::unique_ptr<HttpsClient>> Create(const Options& options);
  virtual ~HttpsClient() = default;

  // Any thread; blocks. text: the request but for its Host and Connection headers and length.
  // Unavailable: no connection; PermissionDenied: not the server that the certificates name;
  // DeadlineExceeded; the errors of ParseResponse.
  virtual Result<Response> Exchange(const Request& request) = 0;
};

}  // namespace kata_cc::agent::http
