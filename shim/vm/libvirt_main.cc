// SPDX-License-Identifier: Apache-2.0
// kata-cc-libvirt: makes libvirt's calls for a shim, as libvirt_wire.h says; ends with its standard
// input. The only program that links libvirt.
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/retry.h"
#include "shim/vm/libvirt_connection.h"
#include "shim/vm/libvirt_wire.h"

namespace kata_cc::shim {
namespace {

using libvirt_wire::Request;

class Calls {
 public:
  Result<std::string> Make(const Request& request) {
    if (request.verb == "version") return Version();
    TRY(Connected(request.uri));
    if (request.verb == "start") return Start(request, VIR_DOMAIN_NONE);
    if (request.verb == "start-paused") return Start(request, VIR_DOMAIN_START_PAUSED);
    const Domain domain(::virDomainLookupByName(connection_.get(), request.name.c_str()));
    if (domain == nullptr) {
      Error error = LibvirtError("look up " + request.name);
      if (request.verb == "destroy" && error.code() == Code::kNotFound) return std::string();
      return error;
    }
    if (request.verb == "describe") return Describe(domain.get());
    return Change(request, domain.get());
  }

 private:
  static Result<std::string> Version() {
    unsigned long version = 0;
    if (::virGetVersion(&version, nullptr, nullptr) != 0) return LibvirtError("version");
    return std::to_string(version);
  }

  Result<void> Connected(const std::string& uri) {
    if (connection_ != nullptr && uri == uri_ && ::virConnectIsAlive(connection_.get()) == 1)
      return {};
    connection_ = TRY(Connect(uri));
    uri_ = uri;
    return {};
  }

  Result<std::string> Start(const Request& request, unsigned flags) {
    const Domain domain(::virDomainCreateXML(connection_.get(), request.xml.c_str(), flags));
    if (domain == nullptr) return LibvirtError("start");
    return std::string();
  }

  static Result<std::string> Describe(virDomainPtr domain) {
    const std::unique_ptr<char, void (*)(void*)> xml(::virDomainGetXMLDesc(domain, 0), ::free);
    if (xml == nullptr) return LibvirtError("describe");
    return std::string(xml.get());
  }

  static Result<std::string> Change(const Request& request, virDomainPtr domain) {
    const char* const xml = request.xml.c_str();
    int rc = -1;
    if (request.verb == "attach") {
      rc = ::virDomainAttachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE);
    } else if (request.verb == "detach") {
      rc = ::virDomainDetachDeviceFlags(domain, xml, VIR_DOMAIN_AFFECT_LIVE);
    } else if (request.verb == "resume") {
      rc = ::virDomainResume(domain);
    } else if (request.verb == "destroy") {
      TRY(DestroyDomain(domain));
      rc = 0;
    } else {
      return Error(Code::kUnimplemented, "no such verb");
    }
    if (rc != 0) return LibvirtError(request.verb);
    return std::string();
  }

  Connection connection_;
  std::string uri_;
};

int Main() {
  Calls calls;
  std::string bytes(libvirt_wire::kMaxMessageBytes, '\0');
  for (;;) {
    const ssize_t size =
        RetryOnEintr([&] { return ::recv(STDIN_FILENO, bytes.data(), bytes.size(), 0); });
    if (size <= 0) return size == 0 ? 0 : 1;
    const auto request =
        libvirt_wire::DecodeRequest({bytes.data(), static_cast<std::size_t>(size)});
    if (!request) return 1;
    const std::string answer = libvirt_wire::Encode(calls.Make(*request));
    if (RetryOnEintr(
            [&] { return ::send(STDIN_FILENO, answer.data(), answer.size(), MSG_NOSIGNAL); }) < 0)
      return 1;
  }
}

}  // namespace
}  // namespace kata_cc::shim

int main() {
  return kata_cc::shim::Main();
}
