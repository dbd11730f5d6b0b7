// SPDX-License-Identifier: Apache-2.0
#include "tests/ttrpc/interop_service.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "proto/ttrpc/ttrpc.pb.h"

namespace kata_cc::ttrpc {
namespace {

using ::ttrpc::KeyValue;

// Only what our own tests send comes here: digits.
int Number(const std::string& text) {
  return std::stoi(text);
}

template <typename Function>
Handler Text(Function function) {
  return Unary<KeyValue, KeyValue>(
      [function = std::move(function)](const Call& call, const KeyValue& in) -> Result<KeyValue> {
        KeyValue out;
        out.set_key(in.key());
        out.set_value(TRY(function(call, in.value())));
        return out;
      });
}

Result<std::string> Fail(const Call&, const std::string& in) {
  const std::size_t space = in.find(' ');
  return Error(static_cast<Code>(Number(in.substr(0, space))), in.substr(space + 1));
}

Result<std::string> JoinMetadata(const Call& call, const std::string& in) {
  std::string joined;
  for (const auto& [key, value] : call.metadata) {
    if (key == in) joined += (joined.empty() ? "" : ",") + value;
  }
  return joined;
}

sockaddr_un UnixAddress(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

}  // namespace

void RegisterInterop(Reactor& reactor, Server& server) {
  server.Register(
      kInteropService, "Echo",
      Text([](const Call&, const std::string& in) -> Result<std::string> { return in; }));
  server.Register(kInteropService, "Fail", Text(Fail));
  server.Register(kInteropService, "Metadata", Text(JoinMetadata));
  server.Register(kInteropService, "Big",
                  Text([](const Call&, const std::string& in) -> Result<std::string> {
                    return std::string(static_cast<std::size_t>(Number(in)), 'b');
                  }));
  // Parked on a timer, so that hundreds sleep without a thread each.
  server.Register(kInteropService, "Sleep", [&reactor](Call call, Responder responder) {
    KeyValue in;
    if (!in.ParseFromString(call.payload)) return;
    const auto parked = std::make_shared<Responder>(std::move(responder));
    reactor.Post([&reactor, parked, in] {
      reactor.After(std::chrono::milliseconds(Number(in.value())),
                    [parked, in] { std::move(*parked).Reply(in); });
    });
  });
}

Result<UniqueFd> ListenUnix(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = UnixAddress(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    return ErrnoError(errno, path);
  }
  return fd;
}

Result<UniqueFd> DialUnix(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = UnixAddress(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoError(errno, path);
  }
  return fd;
}

}  // namespace kata_cc::ttrpc
