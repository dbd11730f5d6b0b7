// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/client.h"

#include <fcntl.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "proto/ttrpc/connection.h"
#include "proto/ttrpc/deadlines.h"
#include "proto/ttrpc/message.h"
#include "proto/ttrpc/ttrpc.pb.h"

namespace kata_cc::ttrpc {
namespace {

Error StatusError(const google::rpc::Status& status) {
  const bool known = status.code() >= static_cast<int>(Code::kCancelled) &&
                     status.code() <= static_cast<int>(Code::kDataLoss);
  return {known ? static_cast<Code>(status.code()) : Code::kUnknown, status.message()};
}

// Calls and connection of a client; lives on in the reactor until the stream has ended.
class ClientConnection final : public Connection {
 public:
  static std::shared_ptr<ClientConnection> Create(Reactor& reactor, UniqueFd stream) {
    std::shared_ptr<ClientConnection> connection(new ClientConnection(reactor, std::move(stream)));
    connection->deadlines_ = Deadlines::Create(
        reactor, [weak = std::weak_ptr<ClientConnection>(connection)](std::uint64_t stream_id) {
          if (const auto self = weak.lock()) self->Expire(static_cast<std::uint32_t>(stream_id));
        });
    return connection;
  }

  void Call(::ttrpc::Request request, std::chrono::nanoseconds timeout, Client::Done done);
  void OnClosed(std::function<void(Error)> callback);

 private:
  struct Pending {
    Client::Done done;
    std::string method;
    std::optional<Deadline> deadline;
  };

  ClientConnection(Reactor& reactor, UniqueFd stream)
      : Connection(reactor, std::move(stream), Options{}) {}

  void OnFrame(const FrameParser::Frame& frame) override;
  void OnEnd(const std::optional<Error>& why) override;
  void Expire(std::uint32_t stream_id);
  std::optional<Error> SendLocked(::ttrpc::Request& request, Pending& pending);
  std::optional<Pending> Take(std::uint32_t stream_id);

  std::shared_ptr<Deadlines> deadlines_;
  std::mutex mutex_;
  // Guarded by mutex_, which is held over a send: stream ids must rise on the wire.
  std::uint32_t next_stream_id_ = 1;
  std::unordered_map<std::uint32_t, Pending> calls_;
  std::vector<std::function<void(Error)>> on_closed_;
  std::optional<Error> closed_;
};

std::optional<Error> ClientConnection::SendLocked(::ttrpc::Request& request, Pending& pending) {
  if (closed_) return closed_;
  if (next_stream_id_ == 0) return Error(Code::kUnavailable, "ttrpc: out of stream ids");
  const std::uint32_t stream_id = next_stream_id_;
  auto frame = EncodeRequest(stream_id, request);
  if (!frame) return std::move(frame).error();
  const std::optional<Deadline> deadline = pending.deadline;
  calls_.emplace(stream_id, std::move(pending));
  // One epoch: a client's stream is not reset.
  const Sent sent = Send(*std::move(frame), 1);
  if (sent != Sent::kOk) {
    pending = std::move(calls_.extract(stream_id).mapped());
    if (sent == Sent::kFull) {
      return Error(Code::kResourceExhausted, "ttrpc: the peer does not read its requests");
    }
    return Error(Code::kUnavailable, "ttrpc: the connection is ending");
  }
  // Past the last id it turns 1, an id that was used; no id is 0.
  next_stream_id_ = stream_id + 2 > stream_id ? stream_id + 2 : 0;
  if (deadline) deadlines_->Add(*deadline, stream_id);
  return std::nullopt;
}

void ClientConnection::Call(::ttrpc::Request request, std::chrono::nanoseconds timeout,
                            Client::Done done) {
  Pending pending{std::move(done), request.method(), std::nullopt};
  if (timeout.count() != 0) {
    request.set_timeout_nano(timeout.count());
    pending.deadline = DeadlineIn(timeout);
  }
  std::optional<Error> failed;
  {
    const std::lock_guard lock(mutex_);
    failed = SendLocked(request, pending);
  }
  if (!failed) return;
  reactor().Post([done = std::move(pending.done), error = *std::move(failed)] { done(error); });
}

std::optional<ClientConnection::Pending> ClientConnection::Take(std::uint32_t stream_id) {
  std::optional<Pending> pending;
  {
    const std::lock_guard lock(mutex_);
    auto node = calls_.extract(stream_id);
    if (node.empty()) return std::nullopt;
    pending = std::move(node.mapped());
  }
  return pending;
}

void ClientConnection::OnFrame(const FrameParser::Frame& frame) {
  if (frame.header.type != kResponseFrame) return;
  auto pending = Take(frame.header.stream_id);
  if (!pending) return;  // The answer to a call that has expired.
  if (pending->deadline) deadlines_->Remove(*pending->deadline, frame.header.stream_id);
  if (frame.oversized) {
    pending->done(OversizedError(frame.header.length));
    return;
  }
  ::ttrpc::Response response;
  if (!response.ParseFromArray(frame.data.data(), static_cast<int>(frame.data.size()))) {
    pending->done(Error(Code::kInternal, "ttrpc: " + pending->method + ": malformed response"));
  } else if (response.status().code() != 0) {
    pending->done(StatusError(response.status()));
  } else {
    pending->done(std::move(*response.mutable_payload()));
  }
}

void ClientConnection::Expire(std::uint32_t stream_id) {
  const auto pending = Take(stream_id);
  if (!pending) return;
  pending->done(Error(Code::kDeadlineExceeded,
                      "ttrpc: " + pending->method + ": no answer before the deadline"));
}

void ClientConnection::OnEnd(const std::optional<Error>& why) {
  deadlines_->Stop();
  std::unordered_map<std::uint32_t, Pending> calls;
  std::vector<std::function<void(Error)>> on_closed;
  const Error error(Code::kUnavailable,
                    why ? why->message() : std::string("ttrpc: the peer closed the connection"));
  {
    const std::lock_guard lock(mutex_);
    closed_ = error;
    calls.swap(calls_);
    on_closed.swap(on_closed_);
  }
  for (const auto& [stream_id, pending] : calls)
    pending.done(error);
  for (const auto& callback : on_closed)
    callback(error);
}

void ClientConnection::OnClosed(std::function<void(Error)> callback) {
  std::optional<Error> closed;
  {
    const std::lock_guard lock(mutex_);
    closed = closed_;
    if (!closed) on_closed_.push_back(std::move(callback));
  }
  if (!closed) return;
  reactor().Post([callback = std::move(callback), error = *std::move(closed)] { callback(error); });
}

class StreamClient final : public Client {
 public:
  explicit StreamClient(std::shared_ptr<ClientConnection> connection)
      : connection_(std::move(connection)) {}
  ~StreamClient() override { Close(); }
  StreamClient(const StreamClient&) = delete;
  StreamClient& operator=(const StreamClient&) = delete;

  void CallAsync(std::string_view service, std::string_view method, std::string payload,
                 CallOptions options, Done done) override {
    ::ttrpc::Request request;
    request.set_service(service.data(), service.size());
    request.set_method(method.data(), method.size());
    request.set_payload(std::move(payload));
    for (auto& [key, value] : options.metadata) {
      ::ttrpc::KeyValue* pair = request.add_metadata();
      pair->set_key(std::move(key));
      pair->set_value(std::move(value));
    }
    connection_->Call(std::move(request), options.timeout, std::move(done));
  }

  void OnClosed(std::function<void(Error)> callback) override {
    connection_->OnClosed(std::move(callback));
  }

  void Close() override {
    connection_->EndSoon(Error(Code::kUnavailable, "ttrpc: the client closed the connection"));
  }

 private:
  const std::shared_ptr<ClientConnection> connection_;
};

// Where a blocked caller waits. Shared with the callback, which may still run in notify_one()
// when the caller is gone.
struct Answer {
  std::mutex mutex;
  std::condition_variable came;
  std::optional<Result<std::string>> result;
};

}  // namespace

Result<std::shared_ptr<Client>> Client::Create(Reactor& reactor, UniqueFd stream) {
  const int flags = ::fcntl(stream.get(), F_GETFL);
  if (flags < 0 || ::fcntl(stream.get(), F_SETFL, flags | O_NONBLOCK) < 0) {
    return ErrnoError(errno, "fcntl");
  }
  auto connection = ClientConnection::Create(reactor, std::move(stream));
  reactor.Post([connection] {
    if (const auto started = connection->Start(); !started) connection->End(started.error());
  });
  return std::shared_ptr<Client>(std::make_shared<StreamClient>(std::move(connection)));
}

Result<void> Client::Call(std::string_view service, std::string_view method,
                          const google::protobuf::MessageLite& request,
                          google::protobuf::MessageLite* response, CallOptions options) {
  if (Reactor::OnReactorThread()) {
    return Error(Code::kInternal, "ttrpc: a blocking call on the reactor's thread");
  }
  std::string payload;
  if (!request.SerializeToString(&payload)) {
    return Error(Code::kInvalidArgument, "ttrpc: the request cannot be serialized");
  }
  const auto answer = std::make_shared<Answer>();
  CallAsync(service, method, std::move(payload), std::move(options),
            [answer](Result<std::string> result) {
              const std::lock_guard lock(answer->mutex);
              answer->result = std::move(result);
              answer->came.notify_one();
            });
  std::unique_lock lock(answer->mutex);
  answer->came.wait(lock, [&] { return answer->result.has_value(); });
  const std::string serialized = TRY(*std::move(answer->result));
  if (response != nullptr && !response->ParseFromString(serialized)) {
    return Error(Code::kInternal, "ttrpc: " + std::string(method) + ": malformed response");
  }
  return {};
}

}  // namespace kata_cc::ttrpc
