// SPDX-License-Identifier: Apache-2.0
#include "agent/http/https_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent::http {
namespace {

using Clock = std::chrono::steady_clock;

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(addrinfo* info) const { ::freeaddrinfo(info); }
};
using SslContext = std::unique_ptr<SSL_CTX, Free>;

Error Late() {
  return {Code::kDeadlineExceeded, "the server does not answer in time"};
}

Result<void> WaitFor(int fd, short events, Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return Late();
  pollfd waiting = {fd, events, 0};
  const int n = RetryOnEintr([&] { return ::poll(&waiting, 1, static_cast<int>(left)); });
  if (n < 0) return ErrnoError(errno, "poll");
  if (n == 0) return Late();
  return {};
}

bool IsAddress(const std::string& host) {
  in6_addr any = {};
  return ::inet_pton(AF_INET, host.c_str(), &any) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

Result<UniqueFd> ConnectTo(const addrinfo& address, Clock::time_point deadline) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0) return fd;
  if (errno != EINPROGRESS)
    return Error(Code::kUnavailable, ErrnoError(errno, "connect").message());
  TRY(WaitFor(fd.get(), POLLOUT, deadline));
  int error_number = 0;
  socklen_t size = sizeof(error_number);
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error_number, &size);
  if (error_number != 0) {
    return Error(Code::kUnavailable, ErrnoError(error_number, "connect").message());
  }
  return fd;
}

Result<UniqueFd> Connect(const Url& url, Clock::time_point deadline) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found);
  const std::unique_ptr<addrinfo, Free> all(found);
  if (status != 0) {
    return Error(Code::kUnavailable, std::string("look up: ") + ::gai_strerror(status));
  }
  Error last(Code::kUnavailable, "no address");
  for (const addrinfo* each = all.get(); each != nullptr; each = each->ai_next) {
    Result<UniqueFd> fd = ConnectTo(*each, deadline);
    if (fd) return fd;
    last = std::move(fd).error();
  }
  return last;
}

// A TLS session over a socket that does not block.
class Session {
 public:
  Session(SSL* ssl, int fd, Clock::time_point deadline) : ssl_(ssl), fd_(fd), deadline_(deadline) {}

  Result<void> Handshake() {
    while (true) {
      const int n = SSL_connect(ssl_.get());
      if (n == 1) break;
      const Result<bool> again = Again(n);
      if (again && *again) continue;
      if (!again && again.error().code() == Code::kDeadlineExceeded) return again.error();
      const long verified = SSL_get_verify_result(ssl_.get());
      ERR_clear_error();
      if (verified == X509_V_OK) return Error(Code::kUnavailable, "tls: no handshake");
      return Error(Code::kPermissionDenied, std::string("tls: the server's certificate: ") +
                                                X509_verify_cert_error_string(verified));
    }
    return {};
  }

  Result<void> Write(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t done = 0;
      const int n = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &done);
      if (n == 1) {
        bytes.remove_prefix(done);
      } else if (!TRY(Again(n))) {
        return Error(Code::kUnavailable, "tls: the connection ended");
      }
    }
    return {};
  }

  // None: the server said that nothing more comes. A connection that just ends is an error.
  Result<std::optional<std::string>> Read() {
    std::string buffer(16384, '\0');
    while (true) {
      std::size_t done = 0;
      const int n = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &done);
      if (n == 1) {
        buffer.resize(done);
        return std::optional<std::string>(std::move(buffer));
      }
      if (!TRY(Again(n))) return std::optional<std::string>();
    }
  }

 private:
  // Whether to try once more, when the socket is ready. False: the peer closed the session.
  Result<bool> Again(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
      case SSL_ERROR_WANT_READ:
        TRY(WaitFor(fd_, POLLIN, deadline_));
        return true;
      case SSL_ERROR_WANT_WRITE:
        TRY(WaitFor(fd_, POLLOUT, deadline_));
        return true;
      case SSL_ERROR_ZERO_RETURN:
        return false;
      default:
        ERR_clear_error();
        return Error(Code::kUnavailable, "tls: the connection broke off");
    }
  }

  const std::unique_ptr<SSL, Free> ssl_;
  const int fd_;
  const Clock::time_point deadline_;
};

class Client : public HttpsClient {
 public:
  Client(Url url, Options options, SslContext context)
      : url_(std::move(url)), options_(std::move(options)), context_(std::move(context)) {}

  Result<Response> Exchange(const Request& request) override {
    return TRY_CONTEXT(Try(request), options_.url);
  }

 private:
  Result<Response> Try(const Request& request) {
    const auto deadline = Clock::now() + options_.timeout;
    const UniqueFd socket = TRY(Connect(url_, deadline));
    SSL* ssl = SSL_new(context_.get());
    if (ssl == nullptr) return Error(Code::kResourceExhausted, "tls: no memory");
    Session session(ssl, socket.get(), deadline);
    const bool address = IsAddress(url_.host);
    X509_VERIFY_PARAM* rules = SSL_get0_param(ssl);
    const bool named =
        address ? X509_VERIFY_PARAM_set1_ip_asc(rules, url_.host.c_str()) == 1
                : SSL_set1_host(ssl, url_.host.c_str()) == 1 &&
                      SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                               const_cast<char*>(url_.host.c_str())) == 1;
    if (!named || SSL_set_fd(ssl, socket.get()) != 1) {
      return Error(Code::kInvalidArgument, "tls: the server's name");
    }
    TRY(session.Handshake());
    TRY(session.Write(Encode(request)));
    std::string bytes;
    while (true) {
      const std::optional<std::string> more = TRY(session.Read());
      if (more) bytes += *more;
      std::optional<Response> response = TRY(ParseResponse(bytes, !more, options_.limits));
      if (response) return *std::move(response);
    }
  }

  std::string Encode(const Request& request) const {
    const bool v6 = url_.host.find(':') != std::string::npos;
    std::string out = request.method + " " + request.path + " HTTP/1.1\r\nHost: ";
    out += (v6 ? "[" + url_.host + "]" : url_.host) + ":" + url_.port + "\r\n";
    for (const auto& [name, value] : request.headers)
      out += name + ": " + value + "\r\n";
    if (!request.body.empty() || request.method == "POST") {
      out += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    return out + "Connection: close\r\n\r\n" + request.body;
  }

  const Url url_;
  const Options options_;
  const SslContext context_;
};

// Each certificate of the text is an anchor by itself: also the server's own.
Result<void> Trust(SSL_CTX* context, const std::string& pem) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (const auto cert =
             std::unique_ptr<X509, Free>(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))) {
    if (X509_STORE_add_cert(store, cert.get()) != 1) break;
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return Error(Code::kInvalidArgument, "the server's certificate is no PEM");
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  return {};
}

}  // namespace

Result<Url> ParseUrl(const std::string& text) {
  constexpr std::string_view kScheme = "https://";
  const Error bad(Code::kInvalidArgument, "url: not https://host[:port]");
  if (!text.starts_with(kScheme)) return bad;
  std::string_view rest = std::string_view(text).substr(kScheme.size());
  Url out;
  out.port = "443";
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) return bad;
    out.host = rest.substr(1, end - 1);
    in6_addr address = {};
    if (::inet_pton(AF_INET6, out.host.c_str(), &address) != 1) return bad;
    rest.remove_prefix(end + 1);
  } else {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    out.host = rest.substr(0, end);
    const bool named = !out.host.empty() && out.host.size() <= 253 &&
                       std::all_of(out.host.begin(), out.host.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '.';
                       });
    if (!named) return bad;
    rest.remove_prefix(end);
  }
  if (rest.empty()) return out;
  if (rest[0] != ':' || rest.size() < 2 || rest.size() > 6) return bad;
  out.port = rest.substr(1);
  const bool digits =
      std::all_of(out.port.begin(), out.port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return bad;
  return out;
}

Result<std::unique_ptr<HttpsClient>> HttpsClient::Create(const Options& options) {
  Url url = TRY(ParseUrl(options.url));
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    ERR_clear_error();
    return Error(Code::kInternal, "tls: cannot be set up");
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  TRY(Trust(context.get(), options.certificates));
  return std::unique_ptr<HttpsClient>(
      std::make_unique<Client>(std::move(url), options, std::move(context)));
}

}  // namespace kata_cc::agent::http
