// SPDX-License-Identifier: Apache-2.0
#include "shim/events/publisher.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/util/time_util.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/process.h"
#include "proto/containerd/events_service.pb.h"

namespace kata_cc::shim {
namespace {

constexpr char kService[] = "containerd.services.events.ttrpc.v1.Events";

Result<UniqueFd> ConnectUnix(const std::string& address) {
  constexpr std::string_view kScheme = "unix://";
  const std::string path =
      address.rfind(kScheme, 0) == 0 ? address.substr(kScheme.size()) : address;
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  if (path.size() >= sizeof name.sun_path)
    return Error(Code::kInvalidArgument, "events: address too long: " + path);
  std::memcpy(name.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0)
    return ErrnoError(errno, "connect to " + path);
  return fd;
}

}  // namespace

std::shared_ptr<EventPublisher> EventPublisher::Create(Reactor& reactor, PublisherOptions options) {
  return std::shared_ptr<EventPublisher>(new EventPublisher(reactor, std::move(options)));
}

void EventPublisher::Publish(const std::string& topic, const google::protobuf::MessageLite& event) {
  containerd::services::events::ttrpc::v1::ForwardRequest request;
  auto& envelope = *request.mutable_envelope();
  *envelope.mutable_timestamp() = google::protobuf::util::TimeUtil::GetCurrentTime();
  envelope.set_namespace_(options_.containerd_namespace);
  envelope.set_topic(topic);
  // Bare, without "type.googleapis.com/": containerd looks types up by their plain name.
  envelope.mutable_event()->set_type_url(event.GetTypeName());
  envelope.mutable_event()->set_value(event.SerializeAsString());
  Queued queued{topic, envelope.event().SerializeAsString(), request.SerializeAsString()};
  bool dropped = false;
  {
    auto state = state_.Lock();
    state->queue.push_back(std::move(queued));
    if (state->queue.size() > options_.max_queued) {
      // The front may be on its way; what would be sent next goes.
      state->queue.erase(state->queue.begin() + (state->busy ? 1 : 0));
      dropped = true;
    }
  }
  if (dropped) Log(LogLevel::kWarn, "too many events queued; dropped the oldest");
  reactor_.Post([self = shared_from_this()] { self->Pump(); });
}

void EventPublisher::Flush(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!state_.Lock()->queue.empty() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

void EventPublisher::Pump() {
  {
    auto state = state_.Lock();
    if (state->busy || state->queue.empty()) return;
    state->busy = true;
  }
  attempts_ = 0;
  SendFront();
}

void EventPublisher::SendFront() {
  const Queued front = state_.Lock()->queue.front();
  ++attempts_;
  if (options_.ttrpc_address.empty()) return SendByBinary(front);
  SendByTtrpc(front);
}

Result<std::shared_ptr<ttrpc::Client>> EventPublisher::Connect() {
  if (client_) return client_;
  UniqueFd fd = TRY(ConnectUnix(options_.ttrpc_address));
  return TRY(ttrpc::Client::Create(reactor_, std::move(fd)));
}

void EventPublisher::SendByTtrpc(const Queued& event) {
  auto client = Connect();
  if (!client) return OnSent(std::move(client).error());
  client_ = *client;
  client_->CallAsync(kService, "Forward", event.forward,
                     {.timeout = options_.call_timeout, .metadata = {}},
                     [self = shared_from_this()](const Result<std::string>& answer) {
                       self->OnSent(answer ? Result<void>() : answer.error());
                     });
}

void EventPublisher::SendByBinary(const Queued& event) {
  const UniqueFd input(::memfd_create("event", MFD_CLOEXEC));
  const std::string& any = event.any;
  if (!input.valid() || ::write(input.get(), any.data(), any.size()) < 0 ||
      ::lseek(input.get(), 0, SEEK_SET) < 0)
    return OnSent(ErrnoError(errno, "memfd"));
  auto child =
      ChildProcess::Spawn({options_.publish_binary, "--address", options_.grpc_address, "publish",
                           "--topic", event.topic, "--namespace", options_.containerd_namespace},
                          {.stdin_fd = input.get()});
  if (!child) return OnSent(std::move(child).error());
  auto shared = std::make_shared<ChildProcess>(*std::move(child));
  const auto watched =
      reactor_.Watch(shared->pidfd(), EPOLLIN, [self = shared_from_this(), shared](std::uint32_t) {
        const auto keep = shared;  // Unwatch drops this callback.
        const auto publisher = self;
        publisher->reactor_.Unwatch(keep->pidfd());
        const Result<int> status = keep->Wait();
        publisher->OnSent(status && *status == 0
                              ? Result<void>()
                              : Error(Code::kUnavailable, "the publish binary failed"));
      });
  if (!watched) OnSent(watched.error());
}

void EventPublisher::OnSent(const Result<void>& sent) {
  if (!sent) {
    if (client_) client_->Close();
    client_.reset();
    if (attempts_ < options_.max_attempts) {
      reactor_.After(options_.retry_delay * attempts_,
                     [self = shared_from_this()] { self->SendFront(); });
      return;
    }
    Log(LogLevel::kWarn, "event not published",
        {{field::kTopic, state_.Lock()->queue.front().topic},
         {field::kError, sent.error().message()}});
  }
  {
    auto state = state_.Lock();
    state->queue.pop_front();
    state->busy = false;
  }
  Pump();
}

}  // namespace kata_cc::shim
