// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/server_connection.h"

#include <sys/stat.h>

#include <utility>

#include "proto/ttrpc/message.h"
#include "proto/ttrpc/ttrpc.pb.h"

namespace kata_cc::ttrpc::internal {
namespace {

// A call on its way through the pool's queue, in one allocation.
struct Job {
  std::shared_ptr<const Services> services;  // Keeps the handler.
  const Handler& handler;
  Call call;
  Responder responder;
};

bool IsCharacterDevice(int fd) {
  struct stat status = {};
  return ::fstat(fd, &status) == 0 && S_ISCHR(status.st_mode);
}

Metadata TakeMetadata(::ttrpc::Request& request) {
  Metadata metadata;
  metadata.reserve(static_cast<std::size_t>(request.metadata_size()));
  for (::ttrpc::KeyValue& pair : *request.mutable_metadata()) {
    std::string key = std::move(*pair.mutable_key());
    for (char& c : key)
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    metadata.emplace_back(std::move(key), std::move(*pair.mutable_value()));
  }
  return metadata;
}

}  // namespace

std::shared_ptr<ServerConnection> ServerConnection::Create(Reactor& reactor, WorkerPool& pool,
                                                           std::shared_ptr<const Services> services,
                                                           const ServerOptions& server_options,
                                                           UniqueFd stream, Ended ended) {
  Options options;
  options.max_unsent_bytes = server_options.max_unsent_bytes;
  options.survive_hangup = IsCharacterDevice(stream.get());
  std::shared_ptr<ServerConnection> connection(
      new ServerConnection(reactor, pool, std::move(services), server_options, std::move(stream),
                           options, std::move(ended)));
  connection->deadlines_ = Deadlines::Create(
      reactor, [weak = std::weak_ptr<ServerConnection>(connection)](std::uint64_t stream_id) {
        if (const auto self = weak.lock()) self->Expire(static_cast<std::uint32_t>(stream_id));
      });
  return connection;
}

ServerConnection::ServerConnection(Reactor& reactor, WorkerPool& pool,
                                   std::shared_ptr<const Services> services,
                                   const ServerOptions& server_options, UniqueFd stream,
                                   const Options& options, Ended ended)
    : Connection(reactor, std::move(stream), options),
      pool_(pool),
      services_(std::move(services)),
      max_calls_in_flight_(server_options.max_calls_in_flight),
      ended_(std::move(ended)) {}

void ServerConnection::OnFrame(const FrameParser::Frame& frame) {
  const std::uint32_t stream_id = frame.header.stream_id;
  if (frame.oversized) {
    Refuse(stream_id, OversizedError(frame.header.length));
    return;
  }
  // Streams are not spoken here, and a type to come must not be an error: as Go's server 1.1.
  if (frame.header.type != kRequestFrame) return;
  if (stream_id % 2 != 1) {
    Refuse(stream_id,
           Error(Code::kInvalidArgument, "StreamID must be odd for client initiated streams"));
    return;
  }
  // A serial port goes from one client to the next without a sign; the next one starts anew.
  if (options().survive_hangup && stream_id == 1 && last_stream_id_ > 0) BeginEpoch();
  if (stream_id <= last_stream_id_) {
    Refuse(stream_id,
           Error(Code::kInvalidArgument, "StreamID cannot be re-used and must increment"));
    return;
  }
  last_stream_id_ = stream_id;
  OnRequest(stream_id, frame.data);
}

void ServerConnection::OnRequest(std::uint32_t stream_id, std::string_view data) {
  ::ttrpc::Request request;
  if (!request.ParseFromArray(data.data(), static_cast<int>(data.size()))) {
    Refuse(stream_id,
           Error(Code::kInvalidArgument, "unmarshal request error: not a ttrpc request"));
    return;
  }
  const auto service = services_->find(request.service());
  if (service == services_->end()) {
    Refuse(stream_id, Error(Code::kUnimplemented, "service " + request.service()));
    return;
  }
  const auto method = service->second.find(request.method());
  if (method == service->second.end()) {
    Refuse(stream_id, Error(Code::kUnimplemented, "method " + request.method()));
    return;
  }
  if (in_flight_.load() >= max_calls_in_flight_) {
    Refuse(stream_id, Error(Code::kResourceExhausted, "ttrpc: more than " +
                                                          std::to_string(max_calls_in_flight_) +
                                                          " calls in flight on this connection"));
    return;
  }
  Dispatch(stream_id, request, method->second);
}

void ServerConnection::Dispatch(std::uint32_t stream_id, ::ttrpc::Request& request,
                                const Handler& handler) {
  std::optional<Deadline> deadline;
  if (request.timeout_nano() != 0) {
    deadline = DeadlineIn(std::chrono::nanoseconds(request.timeout_nano()));
  }
  ++in_flight_;
  auto slot = std::make_shared<ReplySlot>(
      std::static_pointer_cast<ServerConnection>(shared_from_this()), stream_id, epoch(), deadline);
  {
    const std::lock_guard lock(mutex_);
    calls_.insert_or_assign(stream_id, slot);
  }
  if (deadline) deadlines_->Add(*deadline, stream_id);
  Call call{std::move(*request.mutable_service()), std::move(*request.mutable_method()),
            std::move(*request.mutable_payload()), TakeMetadata(request), deadline};
  pool_.Post([job = std::make_shared<Job>(
                  Job{services_, handler, std::move(call), Responder(std::move(slot))})] {
    // Expired or cut off while it waited for a thread: nobody would see the answer.
    if (!job->responder.wanted()) return;
    job->handler(std::move(job->call), std::move(job->responder));
  });
}

void ServerConnection::Refuse(std::uint32_t stream_id, const Error& error) {
  SendOrCutOff(EncodeFailure(stream_id, error), epoch());
}

void ServerConnection::Answer(std::uint32_t stream_id, std::uint64_t epoch,
                              std::optional<Deadline> deadline, std::string frame) {
  std::shared_ptr<ReplySlot> slot;  // Let go without the lock: a slot's end may come back here.
  {
    const std::lock_guard lock(mutex_);
    const auto it = calls_.find(stream_id);
    // Another epoch's call of the same number stays. A slot's own entry may have expired already.
    if (it != calls_.end()) {
      slot = it->second.lock();
      if (!slot || !slot->wanted()) calls_.erase(it);
    }
  }
  if (deadline) deadlines_->Remove(*deadline, stream_id);
  SendOrCutOff(std::move(frame), epoch);
}

void ServerConnection::SendOrCutOff(std::string frame, std::uint64_t epoch) {
  if (Send(std::move(frame), epoch) != Sent::kFull) return;
  EndSoon(Error(Code::kResourceExhausted, "ttrpc: the peer does not read its answers"));
}

void ServerConnection::Expire(std::uint32_t stream_id) {
  std::shared_ptr<ReplySlot> slot;
  {
    const std::lock_guard lock(mutex_);
    const auto it = calls_.find(stream_id);
    if (it == calls_.end()) return;
    slot = it->second.lock();
    if (!slot) return;  // Just being answered.
    calls_.erase(it);
  }
  if (!slot->Abandon()) return;
  Refuse(stream_id, Error(Code::kDeadlineExceeded, "context deadline exceeded"));
}

void ServerConnection::AbandonAll() {
  std::unordered_map<std::uint32_t, std::weak_ptr<ReplySlot>> calls;
  {
    const std::lock_guard lock(mutex_);
    calls.swap(calls_);
  }
  for (const auto& [stream_id, weak] : calls) {
    const auto slot = weak.lock();
    if (!slot) continue;
    if (slot->deadline()) deadlines_->Remove(*slot->deadline(), stream_id);
    slot->Abandon();
  }
}

void ServerConnection::OnReset() {
  last_stream_id_ = 0;
  AbandonAll();
}

void ServerConnection::OnEnd(const std::optional<Error>& why) {
  deadlines_->Stop();
  AbandonAll();
  if (const auto ended = std::exchange(ended_, nullptr)) ended(why);
}

}  // namespace kata_cc::ttrpc::internal
