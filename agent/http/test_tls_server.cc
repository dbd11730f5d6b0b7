// SPDX-License-Identifier: Apache-2.0
#include "agent/http/test_tls_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <thread>
#include <utility>

#include "base/unique_fd.h"

namespace kata_cc::agent::http {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* cert) const { X509_free(cert); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

std::string Text(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(length)};
}

Result<void> MakeCertificate(TestTlsServer::Options& options) {
  const Owned<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  const Owned<X509> cert(X509_new());
  X509_set_version(cert.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -86400);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 365L * 86400);
  X509_set_pubkey(cert.get(), key.get());
  X509_NAME* name = X509_get_subject_name(cert.get());
  const unsigned char common_name[] = "kata-cc test server";
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  const Owned<X509_EXTENSION> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, options.names.c_str()));
  const Owned<BIO> cert_bio(BIO_new(BIO_s_mem()));
  const Owned<BIO> key_bio(BIO_new(BIO_s_mem()));
  if (names == nullptr || X509_add_ext(cert.get(), names.get(), -1) != 1 ||
      X509_sign(cert.get(), key.get(), EVP_sha256()) <= 0 ||
      PEM_write_bio_X509(cert_bio.get(), cert.get()) != 1 ||
      PEM_write_bio_PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
          1) {
    return Error(Code::kInternal, "test server: certificate");
  }
  options.certificate = Text(cert_bio.get());
  options.key = Text(key_bio.get());
  return {};
}

Result<Owned<SSL_CTX>> MakeContext(const TestTlsServer::Options& options) {
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  const Owned<BIO> cert_bio(
      BIO_new_mem_buf(options.certificate.data(), static_cast<int>(options.certificate.size())));
  const Owned<BIO> key_bio(
      BIO_new_mem_buf(options.key.data(), static_cast<int>(options.key.size())));
  const Owned<X509> cert(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (SSL_CTX_use_certificate(context.get(), cert.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) {
    return Error(Code::kInvalidArgument, "test server: certificate or key");
  }
  return context;
}

class Server : public TestTlsServer {
 public:
  Server(Handler handler, Options options, Owned<SSL_CTX> context, UniqueFd listener)
      : handler_(std::move(handler)),
        options_(std::move(options)),
        context_(std::move(context)),
        listener_(std::move(listener)),
        stop_(::eventfd(0, EFD_CLOEXEC)) {
    thread_ = std::thread([this] { Loop(); });
  }
  ~Server() override {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
  }

  int port() const override {
    sockaddr_in address = {};
    socklen_t size = sizeof(address);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return ntohs(address.sin_port);
  }
  const std::string& certificate() const override { return options_.certificate; }

 private:
  void Loop() {
    while (true) {
      pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
      ::poll(waiting, 2, -1);
      if (waiting[1].revents != 0) return;
      const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (client.valid()) Serve(client.get());
    }
  }

  void Serve(int fd) {
    const timeval patience = {10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    const Owned<SSL> ssl(SSL_new(context_.get()));
    SSL_set_fd(ssl.get(), fd);
    if (SSL_accept(ssl.get()) == 1) Answer(ssl.get());
    ERR_clear_error();
  }

  void Answer(SSL* ssl) {
    Limits limits;
    limits.body_bytes = options_.max_body;
    std::string bytes;
    while (true) {
      const auto request = ParseRequest(bytes, limits);
      if (!request) return;
      if (*request) {
        const std::string response = handler_(**request);
        if (response.empty()) return;  // The connection just ends.
        SSL_write(ssl, response.data(), static_cast<int>(response.size()));
        SSL_shutdown(ssl);
        return;
      }
      char buffer[8192];
      const int n = SSL_read(ssl, buffer, sizeof(buffer));
      if (n <= 0) return;
      bytes.append(buffer, static_cast<std::size_t>(n));
    }
  }

  const Handler handler_;
  const Options options_;
  const Owned<SSL_CTX> context_;
  const UniqueFd listener_;
  const UniqueFd stop_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<TestTlsServer>> TestTlsServer::Start(Handler handler, Options options) {
  if (options.certificate.empty()) TRY(MakeCertificate(options));
  Owned<SSL_CTX> context = TRY(MakeContext(options));
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener.valid()) return ErrnoError(errno, "socket");
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  if (::inet_pton(AF_INET, options.address.c_str(), &address.sin_addr) != 1)
    return Error(Code::kInvalidArgument, "test server: " + options.address + ": no IPv4 address");
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, "bind");
  }
  if (::listen(listener.get(), 16) != 0) return ErrnoError(errno, "listen");
  return std::unique_ptr<TestTlsServer>(std::make_unique<Server>(
      std::move(handler), std::move(options), std::move(context), std::move(listener)));
}

std::string EncodeResponse(int status, const std::string& body, const std::string& more_headers) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more_headers + "\r\n" +
         body;
}

}  // namespace kata_cc::agent::http
