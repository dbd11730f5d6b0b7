// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/server.h"

#include <fcntl.h>
#include <google/protobuf/stubs/logging.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <set>
#include <utility>

#include "base/retry.h"
#include "proto/ttrpc/server_connection.h"

namespace kata_cc::ttrpc {
namespace {

// How long a listener rests when the process has no descriptor left for a new connection.
constexpr std::chrono::milliseconds kAcceptRest{100};

Result<void> SetNonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return ErrnoError(errno, "fcntl");
  return {};
}

bool PeerIsOwnUser(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() && peer.gid == ::getegid();
}

}  // namespace

Responder::~Responder() = default;

void Responder::Reply(const google::protobuf::MessageLite& response) && {
  std::string serialized;
  if (!response.SerializeToString(&serialized)) {
    slot_->Fail(Error(Code::kInternal, "ttrpc: the response cannot be serialized"));
  } else {
    slot_->Reply(std::move(serialized));
  }
  slot_.reset();
}

void Responder::ReplyBytes(std::string serialized_response) && {
  slot_->Reply(std::move(serialized_response));
  slot_.reset();
}

void Responder::Fail(const Error& error) && {
  slot_->Fail(error);
  slot_.reset();
}

bool Responder::wanted() const {
  return slot_ && slot_->wanted();
}

void Responder::OnAbandoned(std::function<void()> callback) {
  slot_->OnAbandoned(std::move(callback));
}

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(Reactor& reactor, WorkerPool& pool, ServerOptions options)
      : reactor_(reactor), pool_(pool), options_(options) {}

  void Register(std::string service, std::string method, Handler handler) {
    const bool added =
        (*services_)[std::move(service)].emplace(std::move(method), std::move(handler)).second;
    assert(added);
    static_cast<void>(added);
  }

  Result<void> Serve(UniqueFd stream, std::function<void(std::optional<Error>)> on_closed) {
    TRY(SetNonblocking(stream.get()));
    auto ended = [weak = weak_from_this(), id = next_id_,
                  on_closed = std::move(on_closed)](const std::optional<Error>& why) {
      if (const auto self = weak.lock()) self->connections_.erase(id);
      if (on_closed) on_closed(why);
    };
    auto connection = internal::ServerConnection::Create(reactor_, pool_, services_, options_,
                                                         std::move(stream), std::move(ended));
    TRY(connection->Start());
    connections_.emplace(next_id_++, std::move(connection));
    return {};
  }

  Result<void> Listen(UniqueFd listener, bool own_uid_only) {
    TRY(SetNonblocking(listener.get()));
    const int fd = listener.get();
    TRY(reactor_.Watch(fd, EPOLLIN, [weak = weak_from_this(), fd, own_uid_only](std::uint32_t) {
      if (const auto self = weak.lock()) self->Accept(fd, own_uid_only);
    }));
    listeners_.emplace(fd, std::move(listener));
    return {};
  }

  void Close() {
    for (const auto& [fd, listener] : listeners_)
      reactor_.Unwatch(fd);
    listeners_.clear();
    for (const Reactor::TimerId timer : resting_)
      reactor_.Cancel(timer);
    resting_.clear();
    while (!connections_.empty()) {
      const auto connection = connections_.begin()->second;
      connections_.erase(connections_.begin());
      connection->End(Error(Code::kCancelled, "ttrpc: the server closed"));
    }
  }

 private:
  void Accept(int listener, bool own_uid_only) {
    while (listeners_.contains(listener)) {
      UniqueFd stream(RetryOnEintr(
          [&] { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK); }));
      if (!stream.valid()) {
        if (errno == ECONNABORTED) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) Rest(listener);
        return;
      }
      if (own_uid_only && !PeerIsOwnUser(stream.get())) continue;
      // A connection that cannot be watched is closed, which is what its peer is to know.
      static_cast<void>(Serve(std::move(stream), nullptr).has_value());
    }
  }

  // No descriptors, no memory: the listener would be ready again at once, and the reactor spin.
  void Rest(int listener) {
    static_cast<void>(reactor_.Modify(listener, 0).has_value());
    auto timer = std::make_shared<Reactor::TimerId>();
    *timer = reactor_.After(kAcceptRest, [weak = weak_from_this(), listener, timer] {
      const auto self = weak.lock();
      if (!self || self->resting_.erase(*timer) == 0) return;
      static_cast<void>(self->reactor_.Modify(listener, EPOLLIN).has_value());
    });
    resting_.insert(*timer);
  }

  Reactor& reactor_;
  WorkerPool& pool_;
  const ServerOptions options_;
  const std::shared_ptr<internal::Services> services_ = std::make_shared<internal::Services>();
  std::map<int, UniqueFd> listeners_;
  std::set<Reactor::TimerId> resting_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::shared_ptr<internal::ServerConnection>> connections_;
};

Server::Server(Reactor& reactor, WorkerPool& pool, ServerOptions options)
    : impl_(std::make_shared<Impl>(reactor, pool, options)) {
  // libprotobuf would write to stderr what is wrong with a peer's messages, as often as it likes.
  google::protobuf::SetLogHandler(nullptr);
}

Server::~Server() {
  impl_->Close();
}

void Server::Register(std::string service, std::string method, Handler handler) {
  impl_->Register(std::move(service), std::move(method), std::move(handler));
}

Result<void> Server::Serve(UniqueFd stream, std::function<void(std::optional<Error>)> on_closed) {
  return impl_->Serve(std::move(stream), std::move(on_closed));
}

Result<void> Server::Listen(UniqueFd listener, bool own_uid_only) {
  return impl_->Listen(std::move(listener), own_uid_only);
}

void Server::Close() {
  impl_->Close();
}

}  // namespace kata_cc::ttrpc
