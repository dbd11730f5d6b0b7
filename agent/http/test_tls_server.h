// SPDX-License-Identifier: Apache-2.0
// For tests: an HTTPS server on loopback with a certificate of its own making. Its handler gives
// the bytes of the whole response, so that a test may answer anything.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/http/message.h"
#include "base/result.h"

namespace kata_cc::agent::http {

class TestTlsServer {
 public:
  // One call at a time, on the server's thread.
  using Handler = std::function<std::string(const Request& request)>;

  struct Options {
    std::string names = "DNS:localhost,IP:127.0.0.1";  // Of the certificate (subjectAltName).
    std::string certificate, key;                      // PEM; made when they are empty.
    std::string address = "127.0.0.1";                 // IPv4, to listen on.
    int port = 0;                                      // 0: any.
    std::size_t max_body = std::size_t{4} << 20;
  };
  static Result<std::unique_ptr<TestTlsServer>> Start(Handler handler, Options options);
  static Result<std::unique_ptr<TestTlsServer>> Start(Handler handler) {
    return Start(std::move(handler), Options());
  }
  virtual ~TestTlsServer() = default;  // Stops and joins.

  virtual int port() const = 0;
  virtual const std::string& certificate() const = 0;  // PEM
  std::string url() const { return "https://localhost:" + std::to_string(port()); }
};

std::string EncodeResponse(int status, const std::string& body,
                           const std::string& more_headers = "");

}  // namespace kata_cc::agent::http
