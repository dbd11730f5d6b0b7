// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/libvirt_connection.h"

#include <libvirt/virterror.h>

namespace kata_cc::shim {
namespace {

Code CodeOf(int libvirt_error) {
  switch (libvirt_error) {
    case VIR_ERR_NO_DOMAIN:
      return Code::kNotFound;
    case VIR_ERR_DOM_EXIST:
      return Code::kAlreadyExists;
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_INVALID_ARG:
      return Code::kInvalidArgument;
    case VIR_ERR_CONFIG_UNSUPPORTED:
      return Code::kFailedPrecondition;
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_SYSTEM_ERROR:
    case VIR_ERR_RPC:
      return Code::kUnavailable;
    case VIR_ERR_OPERATION_TIMEOUT:
      return Code::kDeadlineExceeded;
    default:
      return Code::kInternal;
  }
}

}  // namespace

Error LibvirtError(const std::string& what) {
  const virErrorPtr error = ::virGetLastError();
  if (error == nullptr) return Error(Code::kInternal, what + ": libvirt: unknown error");
  std::string message = error->message != nullptr ? error->message : "unknown error";
  while (!message.empty() && message.back() == '\n')
    message.pop_back();
  return Error(CodeOf(error->code), what + ": libvirt: " + message);
}

Result<Connection> Connect(const std::string& uri) {
  // Otherwise libvirt prints each error on stderr, which containerd reads.
  ::virSetErrorFunc(nullptr, [](void*, virErrorPtr) {});
  Connection connection(::virConnectOpen(uri.c_str()));
  if (connection == nullptr) return LibvirtError("connect to " + uri);
  return connection;
}

Result<void> DestroyDomain(virDomainPtr domain) {
  if (::virDomainDestroy(domain) == 0) return {};
  Error error = LibvirtError("destroy the domain");
  const int code = ::virGetLastErrorCode();
  // A transient domain whose VMM is dead is inactive for a moment before it is gone.
  if (code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID) return {};
  return error;
}

}  // namespace kata_cc::shim
