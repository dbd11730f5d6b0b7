// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/transport.h"

#include <dirent.h>
#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/file.h"

namespace kata_cc::agent {
namespace {

Result<UniqueFd> BindAndListen(int family, const sockaddr* address, socklen_t length,
                               const std::string& what) {
  UniqueFd listener(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.valid()) return ErrnoError(errno, what + ": socket");
  if (::bind(listener.get(), address, length) != 0) return ErrnoError(errno, what + ": bind");
  if (::listen(listener.get(), 16) != 0) return ErrnoError(errno, what + ": listen");
  return listener;
}

}  // namespace

Result<UniqueFd> ListenOnVsock() {
  sockaddr_vm address = {};
  address.svm_family = AF_VSOCK;
  address.svm_cid = VMADDR_CID_ANY;
  address.svm_port = kVsockPort;
  return BindAndListen(AF_VSOCK, reinterpret_cast<const sockaddr*>(&address), sizeof(address),
                       "vsock");
}

Result<UniqueFd> ListenOnUnixSocket(std::string_view address) {
  constexpr std::string_view kScheme = "unix://";
  std::string_view path = address;
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (!path.starts_with(kScheme) || path.size() == kScheme.size()) {
    return Error(Code::kInvalidArgument, "listen: not unix:///path or unix://@name");
  }
  path.remove_prefix(kScheme.size());
  if (path.size() >= sizeof(name.sun_path)) {
    return Error(Code::kInvalidArgument, "listen: address is too long");
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (path.front() == '@') {
    name.sun_path[0] = '\0';
  } else {
    if (::unlink(name.sun_path) != 0 && errno != ENOENT) return ErrnoError(errno, "listen: unlink");
    ++length;
  }
  return BindAndListen(AF_UNIX, reinterpret_cast<const sockaddr*>(&name), length, "listen");
}

Result<std::string> FindVirtioPort(const std::string& sysfs_class, std::string_view name) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(sysfs_class.c_str()), &::closedir);
  if (dir == nullptr) return ErrnoError(errno, "virtio port: " + sysfs_class);
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string device = entry->d_name;
    if (device.starts_with('.')) continue;
    const auto bytes = ReadFile(sysfs_class + "/" + device + "/name", 4096);
    if (!bytes) continue;  // The console's own port has no name.
    const std::string text = AsString(*bytes);
    if (text.substr(0, text.find('\n')) == name) return "/dev/" + device;
  }
  return Error(Code::kNotFound, "virtio port: " + std::string(name) + ": no such port");
}

}  // namespace kata_cc::agent
