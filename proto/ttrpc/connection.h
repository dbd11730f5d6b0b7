// SPDX-License-Identifier: Apache-2.0
// Connection: one byte stream that carries frames, served by a reactor. Server and client derive
// what a frame means to them. No call blocks: what the peer does not take waits in a queue.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/reactor.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "proto/ttrpc/frame.h"

namespace kata_cc::ttrpc {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Options {
    std::size_t max_unsent_bytes = 64U << 20U;
    // A serial port has no end: while its other side is away it reports a hang-up, and who comes
    // back is a new peer on the old stream. With this, such a stream is Reset instead of ended.
    bool survive_hangup = false;
    std::chrono::milliseconds hangup_poll{10};  // How often to look whether the peer is back.
    std::chrono::milliseconds quiet{100};       // After garbage: silence that ends it.
    std::chrono::milliseconds stall{5000};      // A frame without a new byte for so long is dead.
  };

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  // Reactor thread, once. Fails when the descriptor cannot be polled.
  Result<void> Start();

  enum class Sent { kOk, kFull, kEnded };
  // Any thread: sends the frame, or queues it; kFull (and nothing is sent) when more than
  // max_unsent_bytes would wait. A frame of an epoch that is over is dropped (kEnded).
  Sent Send(std::string frame, std::uint64_t epoch);

  // Reactor thread: ends the connection, with OnEnd(why). No effect after the first time.
  void End(std::optional<Error> why);

  // Any thread: the peer sees the end at once (on a socket); End(why) follows on the reactor's.
  void EndSoon(Error why);

 protected:
  Connection(Reactor& reactor, UniqueFd stream, Options options);

  // All on the reactor's thread. A frame's data is valid during the call.
  virtual void OnFrame(const FrameParser::Frame& frame) = 0;
  // Once. No error: the peer closed the stream between two frames.
  virtual void OnEnd(const std::optional<Error>& why) = 0;
  // The peer went away, or may have; another one may come (survive_hangup only).
  virtual void OnReset() {}

  // Reactor thread: the peer changed. Drops what is queued, with its epoch, and calls OnReset().
  // May be called from OnFrame().
  void BeginEpoch();
  std::uint64_t epoch() const { return epoch_; }  // Reactor thread.
  bool open() const { return open_; }             // Reactor thread.
  const Options& options() const { return options_; }
  Reactor& reactor() { return reactor_; }

 private:
  enum class ReadStep { kMore, kBlocked, kStop };

  void OnEvents(std::uint32_t events);
  void ReadSome();
  ReadStep ReadOnce();
  bool Parse(std::string_view bytes);
  void OnEof();
  void OnGarbage(Error why);
  void HangUp();
  void Resynchronise();
  void LookForPeer();
  void WatchStall();
  void Resume();
  void UpdateWatch();
  void FlushQueue();
  void AfterWriteError(int error_number);
  // With mutex_ held: writes what the stream takes. errno of a failure, 0 otherwise.
  int WriteQueueLocked();
  std::optional<std::size_t> WriteLocked(const char* data, std::size_t size, int* error_number);
  void DropQueueLocked(bool keep_begun_frame);
  void SetTimer(std::chrono::nanoseconds delay, void (Connection::*step)());
  void StopTimer();

  Reactor& reactor_;
  const Options options_;
  const bool socket_;

  // Reactor thread only.
  FrameParser parser_;
  bool open_ = true;
  bool watched_ = false;
  bool hunting_ = false;  // After garbage on a serial port: dropping bytes until it is quiet.
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_at_timer_ = 0;
  std::optional<Reactor::TimerId> timer_;
  std::uint32_t watched_events_ = 0;

  std::mutex mutex_;
  // Guarded by mutex_; written by the reactor's thread only, which may so read them without.
  UniqueFd stream_;
  bool ended_ = false;
  std::uint64_t epoch_ = 1;
  // Guarded by mutex_.
  std::deque<std::string> queue_;
  std::size_t front_sent_ = 0;  // Bytes of the first frame in the queue that are gone.
  std::size_t unsent_bytes_ = 0;
  bool stuck_ = false;           // A write failed; nothing is written any more.
  std::optional<Error> ending_;  // Why EndSoon() was called, which the stream's end must not hide.
};

}  // namespace kata_cc::ttrpc
