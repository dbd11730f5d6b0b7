// SPDX-License-Identifier: Apache-2.0
// ServerConnection: one peer's calls, from frame to handler and back. Used by server.cc only.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/worker_pool.h"
#include "proto/ttrpc/connection.h"
#include "proto/ttrpc/deadlines.h"
#include "proto/ttrpc/reply_slot.h"
#include "proto/ttrpc/server.h"

namespace ttrpc {
class Request;
}

namespace kata_cc::ttrpc::internal {

using Services = std::map<std::string, std::map<std::string, Handler>>;

class ServerConnection final : public Connection, public ReplySink {
 public:
  // ended runs once, on the reactor's thread.
  using Ended = std::function<void(const std::optional<Error>&)>;
  static std::shared_ptr<ServerConnection> Create(Reactor& reactor, WorkerPool& pool,
                                                  std::shared_ptr<const Services> services,
                                                  const ServerOptions& server_options,
                                                  UniqueFd stream, Ended ended);

  void Answer(std::uint32_t stream_id, std::uint64_t epoch, std::optional<Deadline> deadline,
              std::string frame) override;
  void Finished() override { --in_flight_; }

 private:
  ServerConnection(Reactor& reactor, WorkerPool& pool, std::shared_ptr<const Services> services,
                   const ServerOptions& server_options, UniqueFd stream, const Options& options,
                   Ended ended);

  void OnFrame(const FrameParser::Frame& frame) override;
  void OnEnd(const std::optional<Error>& why) override;
  void OnReset() override;

  void OnRequest(std::uint32_t stream_id, std::string_view data);
  void Dispatch(std::uint32_t stream_id, ::ttrpc::Request& request, const Handler& handler);
  void Refuse(std::uint32_t stream_id, const Error& error);
  void SendOrCutOff(std::string frame, std::uint64_t epoch);
  void Expire(std::uint32_t stream_id);
  void AbandonAll();

  WorkerPool& pool_;
  const std::shared_ptr<const Services> services_;
  const std::size_t max_calls_in_flight_;
  Ended ended_;
  std::uint32_t last_stream_id_ = 0;  // Reactor thread only.
  std::shared_ptr<Deadlines> deadlines_;
  std::atomic<std::size_t> in_flight_ = 0;
  std::mutex mutex_;
  // Guarded by mutex_. Not the owner: a responder dropped unanswered must be noticed.
  std::unordered_map<std::uint32_t, std::weak_ptr<ReplySlot>> calls_;
};

}  // namespace kata_cc::ttrpc::internal
