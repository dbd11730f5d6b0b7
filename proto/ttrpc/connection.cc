// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/connection.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/retry.h"

namespace kata_cc::ttrpc {
namespace {

constexpr std::size_t kReadBytes = 64U << 10U;
constexpr int kReadsPerEvent = 16;  // Then the other descriptors of the reactor have their turn.
constexpr std::size_t kFramesPerWrite = 32;

bool IsSocket(int fd) {
  struct stat status = {};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

}  // namespace

Connection::Connection(Reactor& reactor, UniqueFd stream, Options options)
    : reactor_(reactor),
      options_(options),
      socket_(IsSocket(stream.get())),
      stream_(std::move(stream)) {}

Result<void> Connection::Start() {
  if (!open_) return {};
  watched_events_ = EPOLLIN;
  TRY(reactor_.Watch(
      stream_.get(), watched_events_,
      [self = shared_from_this()](std::uint32_t events) { self->OnEvents(events); }));
  watched_ = true;
  UpdateWatch();
  return {};
}

void Connection::OnEvents(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) FlushQueue();
  if (open_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) ReadSome();
}

void Connection::ReadSome() {
  for (int i = 0; i < kReadsPerEvent; ++i) {
    if (ReadOnce() != ReadStep::kMore) break;
  }
  if (open_) WatchStall();
}

Connection::ReadStep Connection::ReadOnce() {
  std::array<char, kReadBytes>
      buffer;  // NOLINT: read() fills it; zeroing 64 KiB would not be free.
  const ssize_t n =
      RetryOnEintr([&] { return ::read(stream_.get(), buffer.data(), buffer.size()); });
  if (n > 0) {
    const auto size = static_cast<std::size_t>(n);
    bytes_read_ += size;
    if (!Parse({buffer.data(), size})) return ReadStep::kStop;
    // A short read took all there was, except at a serial port, where one buffer is one read.
    return size == kReadBytes || !socket_ ? ReadStep::kMore : ReadStep::kBlocked;
  }
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return ReadStep::kBlocked;
  // A pty says EIO, where a virtio port says end of file, of a peer that is away. A socket says
  // ECONNRESET when its peer closed without reading everything.
  if (n == 0 || errno == ECONNRESET || (options_.survive_hangup && errno == EIO)) {
    OnEof();
  } else {
    End(ErrnoError(errno, "ttrpc: read"));
  }
  return ReadStep::kStop;
}

bool Connection::Parse(std::string_view bytes) {
  if (hunting_) return true;
  while (true) {
    auto frame = parser_.Next(&bytes);
    if (!frame) {
      OnGarbage(std::move(frame).error());
      return open_;
    }
    if (!*frame) return true;
    OnFrame(**frame);
    if (!open_) return false;
  }
}

void Connection::OnEof() {
  if (options_.survive_hangup) {
    HangUp();
  } else if (parser_.between_frames()) {
    End(std::nullopt);
  } else {
    End(Error(Code::kDataLoss, "ttrpc: the stream ended inside a frame"));
  }
}

void Connection::OnGarbage(Error why) {
  if (!options_.survive_hangup) {
    End(std::move(why));
    return;
  }
  // Where the next frame begins is lost. A peer that gets no answer falls silent; what comes
  // after a silence is taken for the beginning of a frame.
  Resynchronise();
  hunting_ = true;
}

void Connection::BeginEpoch() {
  {
    const std::lock_guard lock(mutex_);
    ++epoch_;
    // A frame that is out in part is completed: if the other side is still the old one, or reads
    // through the same pipe, it would take the next frame for the rest of this one.
    DropQueueLocked(/*keep_begun_frame=*/true);
  }
  OnReset();
}

void Connection::Resynchronise() {
  parser_.Reset();
  BeginEpoch();
}

void Connection::HangUp() {
  Resynchronise();
  hunting_ = false;
  {
    const std::lock_guard lock(mutex_);
    DropQueueLocked(/*keep_begun_frame=*/false);
    stuck_ = false;
  }
  if (watched_) reactor_.Unwatch(stream_.get());  // A hang-up is reported for as long as it lasts.
  watched_ = false;
  SetTimer(options_.hangup_poll, &Connection::LookForPeer);
}

void Connection::LookForPeer() {
  // Poll reports the hang-up of some devices only, read() that of all; data may already be there.
  switch (ReadOnce()) {
    case ReadStep::kStop:
      return;  // Still away (the timer runs again), or the connection has ended.
    case ReadStep::kMore:
    case ReadStep::kBlocked:
      Resume();
  }
}

void Connection::Resume() {
  if (!open_) return;
  if (const auto started = Start(); !started) End(started.error());
  if (open_) WatchStall();
}

// On a serial port, a frame that is begun and not continued was its sender's last.
void Connection::WatchStall() {
  if (!options_.survive_hangup || !watched_) return;
  if (hunting_) {
    SetTimer(options_.quiet, &Connection::WatchStall);
    if (std::exchange(bytes_at_timer_, bytes_read_) != bytes_read_) return;
    hunting_ = false;
    StopTimer();
    return;
  }
  if (parser_.between_frames()) {
    StopTimer();
    return;
  }
  if (timer_) return;  // Runs out on its own, and looks whether anything came.
  if (bytes_at_timer_ == bytes_read_) {
    Resynchronise();
    return;
  }
  bytes_at_timer_ = bytes_read_;
  SetTimer(options_.stall, &Connection::WatchStall);
}

void Connection::SetTimer(std::chrono::nanoseconds delay, void (Connection::*step)()) {
  StopTimer();
  timer_ = reactor_.After(delay, [weak = weak_from_this(), step] {
    const auto self = weak.lock();
    if (!self || !self->open_) return;
    self->timer_.reset();
    ((*self).*step)();
  });
}

void Connection::StopTimer() {
  if (timer_) reactor_.Cancel(*timer_);
  timer_.reset();
}

void Connection::DropQueueLocked(bool keep_begun_frame) {
  const bool begun = keep_begun_frame && front_sent_ > 0;
  while (queue_.size() > (begun ? 1U : 0U)) {
    unsent_bytes_ -= queue_.back().size();
    queue_.pop_back();
  }
  if (begun) return;
  front_sent_ = 0;
  unsent_bytes_ = 0;
}

std::optional<std::size_t> Connection::WriteLocked(const char* data, std::size_t size,
                                                   int* error_number) {
  const ssize_t n = RetryOnEintr([&] {
    return socket_ ? ::send(stream_.get(), data, size, MSG_NOSIGNAL | MSG_DONTWAIT)
                   : ::write(stream_.get(), data, size);
  });
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno != EAGAIN && errno != EWOULDBLOCK) {
    *error_number = errno;
    return std::nullopt;
  }
  return 0;
}

Connection::Sent Connection::Send(std::string frame, std::uint64_t epoch) {
  int error_number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || stuck_ || epoch != epoch_) return Sent::kEnded;
    if (unsent_bytes_ + frame.size() > options_.max_unsent_bytes) return Sent::kFull;
    std::size_t sent = 0;
    if (queue_.empty()) {
      const auto written = WriteLocked(frame.data(), frame.size(), &error_number);
      if (written == frame.size()) return Sent::kOk;
      sent = written.value_or(0);
      front_sent_ = sent;
    }
    if (error_number != 0) stuck_ = true;
    const bool first = queue_.empty();
    unsent_bytes_ += frame.size();
    queue_.push_back(std::move(frame));
    if (!first) return Sent::kOk;  // Who queued the first of them told the reactor.
  }
  reactor_.Post([weak = weak_from_this(), error_number] {
    const auto self = weak.lock();
    if (!self || !self->open_) return;
    if (error_number != 0) {
      self->AfterWriteError(error_number);
    } else {
      self->UpdateWatch();
    }
  });
  return Sent::kOk;
}

int Connection::WriteQueueLocked() {
  int error_number = 0;
  while (!queue_.empty() && !stuck_) {
    std::array<iovec, kFramesPerWrite> parts = {};
    const std::size_t count = std::min(queue_.size(), parts.size());
    std::size_t offered = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t skip = i == 0 ? front_sent_ : 0;
      parts.at(i) = {queue_[i].data() + skip, queue_[i].size() - skip};
      offered += queue_[i].size() - skip;
    }
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t n = RetryOnEintr([&] {
      return socket_ ? ::sendmsg(stream_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT)
                     : ::writev(stream_.get(), parts.data(), static_cast<int>(count));
    });
    if (n < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      error_number = errno;
      stuck_ = true;
      break;
    }
    front_sent_ += static_cast<std::size_t>(n);
    while (!queue_.empty() && front_sent_ >= queue_.front().size()) {
      front_sent_ -= queue_.front().size();
      unsent_bytes_ -= queue_.front().size();
      queue_.pop_front();
    }
    if (static_cast<std::size_t>(n) < offered) break;
  }
  return error_number;
}

void Connection::FlushQueue() {
  int error_number = 0;
  {
    const std::lock_guard lock(mutex_);
    error_number = WriteQueueLocked();
  }
  if (error_number != 0) {
    AfterWriteError(error_number);
  } else {
    UpdateWatch();
  }
}

void Connection::AfterWriteError(int error_number) {
  // The stream may hold more to read, and its end, which says more than the failed write.
  ReadSome();
  if (open_ && watched_) End(ErrnoError(error_number, "ttrpc: write"));
}

void Connection::UpdateWatch() {
  if (!watched_) return;
  std::uint32_t events = EPOLLIN;
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() && !stuck_) events |= EPOLLOUT;
  }
  if (events == watched_events_) return;
  watched_events_ = events;
  if (const auto modified = reactor_.Modify(stream_.get(), events); !modified) {
    End(modified.error());
  }
}

void Connection::End(std::optional<Error> why) {
  if (!open_) return;
  const auto self = shared_from_this();  // The watch may hold the last reference.
  open_ = false;
  StopTimer();
  if (watched_) reactor_.Unwatch(stream_.get());
  watched_ = false;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (ending_) why = std::move(ending_);
    DropQueueLocked(/*keep_begun_frame=*/false);
    stream_.Reset();
  }
  parser_.Reset();
  OnEnd(why);
}

void Connection::EndSoon(Error why) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || ending_) return;
    ending_ = std::move(why);
    stuck_ = true;
    if (socket_) ::shutdown(stream_.get(), SHUT_RDWR);
  }
  reactor_.Post([self = shared_from_this()] { self->End(std::nullopt); });
}

}  // namespace kata_cc::ttrpc
