// SPDX-License-Identifier: Apache-2.0
// EventPublisher: hands task events to containerd, in order, without ever making a task wait.
// containerd's service: containerd.services.events.ttrpc.v1.Events.Forward at TTRPC_ADDRESS; an
// older one gets them by its publish binary.
#pragma once

#include <google/protobuf/message_lite.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "base/reactor.h"
#include "base/result.h"
#include "base/synced.h"
#include "proto/ttrpc/client.h"

namespace kata_cc::shim {

// Where events go; the sandbox knows no more of them.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // Any thread; never blocks. The event's type url is its bare protobuf name.
  virtual void Publish(const std::string& topic, const google::protobuf::MessageLite& event) = 0;
};

struct PublisherOptions {
  std::string ttrpc_address;  // Path, also as unix://path. Empty: use the publish binary.
  std::string grpc_address;
  std::string publish_binary;
  std::string containerd_namespace;
  std::size_t max_queued = 2048;  // Beyond it the oldest event is dropped.
  int max_attempts = 5;
  std::chrono::milliseconds retry_delay{1000};  // Times the number of the attempt.
  std::chrono::seconds call_timeout{5};
};

class EventPublisher : public EventSink, public std::enable_shared_from_this<EventPublisher> {
 public:
  // The reactor outlives it.
  static std::shared_ptr<EventPublisher> Create(Reactor& reactor, PublisherOptions options);

  void Publish(const std::string& topic, const google::protobuf::MessageLite& event) override;

  // Any thread but the reactor's: waits until nothing is queued, or for timeout.
  void Flush(std::chrono::milliseconds timeout);

 private:
  struct Queued {
    std::string topic;
    std::string any;      // Serialized google.protobuf.Any: for the publish binary.
    std::string forward;  // Serialized ForwardRequest.
  };
  struct State {
    std::deque<Queued> queue;
    bool busy = false;  // An event is on its way; only the reactor thread clears it.
  };

  EventPublisher(Reactor& reactor, PublisherOptions options)
      : reactor_(reactor), options_(std::move(options)) {}
  // Reactor thread only.
  void Pump();
  void SendFront();
  void SendByTtrpc(const Queued& event);
  void SendByBinary(const Queued& event);
  void OnSent(const Result<void>& sent);
  Result<std::shared_ptr<ttrpc::Client>> Connect();

  Reactor& reactor_;
  const PublisherOptions options_;
  Synced<State> state_;
  std::shared_ptr<ttrpc::Client> client_;  // Reactor thread only, as attempts_.
  int attempts_ = 0;
};

}  // namespace kata_cc::shim
