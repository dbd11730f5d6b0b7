// SPDX-License-Identifier: Apache-2.0
// Relays between a FIFO on the host and a stream in the guest. One guest call is in flight at a
// time, so a reader that stops makes the guest's writer wait (back-pressure), and no one else.
// All members are for the reactor thread only; a relay keeps itself alive until it has ended.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace kata_cc::shim {

// Guest to host.
class OutputRelay : public std::enable_shared_from_this<OutputRelay> {
 public:
  // Reads up to length bytes; empty is the end of the stream. done runs on the reactor thread.
  using Read =
      std::function<void(std::uint32_t length, std::function<void(Result<std::string>)> done)>;
  // Why the stream ended early, or null.
  using Ended = std::function<void(const Error*)>;

  static std::shared_ptr<OutputRelay> Start(Reactor& reactor, UniqueFd sink, Read read,
                                            Ended ended);

  void Cancel();  // Drops what is not yet written. ended runs, if it has not.
  bool ended() const { return ended_flag_; }

 private:
  OutputRelay(Reactor& reactor, UniqueFd sink, Read read, Ended ended)
      : reactor_(reactor),
        sink_(std::move(sink)),
        read_(std::move(read)),
        on_ended_(std::move(ended)) {}
  void RequestNext();
  void OnData(Result<std::string> data);
  void Write();
  void End(const Error* error);

  Reactor& reactor_;
  UniqueFd sink_;
  Read read_;
  Ended on_ended_;
  std::string pending_;
  std::size_t written_ = 0;
  bool watching_ = false;
  bool ended_flag_ = false;
};

// Host to guest.
class InputRelay : public std::enable_shared_from_this<InputRelay> {
 public:
  // Writes data; done gets how much was taken.
  using Write =
      std::function<void(std::string data, std::function<void(Result<std::uint32_t>)> done)>;

  // close tells the guest of the end of file; it is not called after Stop.
  static std::shared_ptr<InputRelay> Start(Reactor& reactor, UniqueFd source, UniqueFd keeper,
                                           Write write, std::function<void()> close);

  void DropKeeper() { keeper_.Reset(); }  // CloseIO: what is in the FIFO still goes to the guest.
  void Stop();                            // The process ended.

 private:
  InputRelay(Reactor& reactor, UniqueFd source, UniqueFd keeper, Write write,
             std::function<void()> close)
      : reactor_(reactor),
        source_(std::move(source)),
        keeper_(std::move(keeper)),
        write_(std::move(write)),
        close_(std::move(close)) {}
  void Listen();
  void OnReadable();
  void Send(std::string data);
  void Unlisten();

  Reactor& reactor_;
  UniqueFd source_;
  UniqueFd keeper_;
  Write write_;
  std::function<void()> close_;
  bool watching_ = false;
  bool stopped_ = false;
};

}  // namespace kata_cc::shim
