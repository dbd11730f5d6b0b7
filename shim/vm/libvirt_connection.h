// SPDX-License-Identifier: Apache-2.0
// Owners of libvirt's objects, and its errors as ours.
#pragma once

#include <libvirt/libvirt.h>

#include <memory>
#include <string>

#include "base/result.h"

namespace kata_cc::shim {

struct ConnectionClose {
  void operator()(virConnectPtr connection) const { ::virConnectClose(connection); }
};
struct DomainFree {
  void operator()(virDomainPtr domain) const { ::virDomainFree(domain); }
};
using Connection = std::unique_ptr<virConnect, ConnectionClose>;
using Domain = std::unique_ptr<virDomain, DomainFree>;

// What libvirt said last on this thread, as "what: message".
Error LibvirtError(const std::string& what);

Result<Connection> Connect(const std::string& uri);

// Ends the domain; no error if it was gone already. The caller ended its VMM before, if it could:
// libvirt itself would first ask QEMU politely, and wait.
Result<void> DestroyDomain(virDomainPtr domain);

}  // namespace kata_cc::shim
