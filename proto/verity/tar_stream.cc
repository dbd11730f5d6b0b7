// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/tar_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "proto/verity/geometry.h"

namespace kata_cc::verity {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kPieces = 8;  // How far the thread may be ahead.

using Piece = std::vector<std::byte>;

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Error Bad(std::string message) {
  return {Code::kInvalidArgument, std::move(message)};
}

std::optional<std::string_view> ForeignFormat(std::span<const std::byte> start) {
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  using namespace std::string_view_literals;
  if (text.starts_with("\xFD"
                       "7zXZ\0"sv))
    return "xz";
  if (text.starts_with("BZh")) return "bzip2";
  if (text.starts_with("\x04\x22\x4D\x18"sv)) return "lz4";
  if (text.starts_with("PK\x03\x04"sv)) return "zip";
  return std::nullopt;
}

}  // namespace

struct TarStream::State {
  explicit State(ReadBytes source, uint64_t limit) : read(std::move(source)), max_bytes(limit) {}

  ReadBytes read;
  const uint64_t max_bytes;
  Piece input = Piece(kPieceBytes);
  std::optional<Error> read_error;

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Piece> ready;
  bool ended = false;
  bool stopping = false;
  std::optional<Error> error;
  std::string digest;
  uint64_t bytes = 0;

  Piece current;
  std::thread thread;

  Result<void> Produce();
  void Run();
  static la_ssize_t OnRead(archive* reader, void* self, const void** buffer);
  bool Push(Piece piece);
};

la_ssize_t TarStream::State::OnRead(archive* reader, void* self, const void** buffer) {
  auto* const state = static_cast<State*>(self);
  auto count = state->read(state->input);
  if (!count) {
    state->read_error = std::move(count).error();
    archive_set_error(reader, EIO, "source failed");
    return ARCHIVE_FATAL;
  }
  *buffer = state->input.data();
  return static_cast<la_ssize_t>(*count);
}

// Returns false when nobody wants more.
bool TarStream::State::Push(Piece piece) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ready.size() < kPieces || stopping; });
  bytes += piece.size();
  ready.push_back(std::move(piece));
  changed.notify_all();
  return !stopping;
}

Result<void> TarStream::State::Produce() {
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  if (!reader || !context || EVP_DigestInit_ex2(context.get(), EVP_sha256(), nullptr) != 1)
    return Error(Code::kResourceExhausted, "layer: out of memory");
  const auto failure = [&] {
    if (read_error) return *read_error;
    const char* const text = archive_error_string(reader.get());
    return Bad(std::string("layer: ") + (text != nullptr ? text : "cannot be read"));
  };
  archive_read_support_filter_gzip(reader.get());
  if (archive_read_support_filter_zstd(reader.get()) != ARCHIVE_OK)
    return Error(Code::kUnimplemented, "layer: libarchive has no zstd");
  archive_read_support_format_raw(reader.get());
  archive_read_support_format_empty(reader.get());
  if (archive_read_open(reader.get(), this, nullptr, &State::OnRead, nullptr) != ARCHIVE_OK)
    return failure();
  archive_entry* entry = nullptr;
  const int header = archive_read_next_header(reader.get(), &entry);
  if (header == ARCHIVE_EOF) return Bad("layer: is empty");
  if (header != ARCHIVE_OK) return failure();

  for (bool first = true;; first = false) {
    Piece piece(kPieceBytes);
    std::size_t used = 0;
    la_ssize_t count = 0;
    while (used < piece.size() &&
           (count = archive_read_data(reader.get(), piece.data() + used, piece.size() - used)) > 0)
      used += static_cast<std::size_t>(count);
    if (count < 0) return failure();
    piece.resize(used);
    if (piece.empty()) break;
    if (first) {
      if (const auto format = ForeignFormat(piece))
        return Bad("layer: " + std::string(*format) + " is not supported (tar, gzip or zstd)");
    }
    if (bytes + used > max_bytes)
      return Error(Code::kResourceExhausted,
                   "layer: tar is larger than " + std::to_string(max_bytes) + " bytes");
    if (EVP_DigestUpdate(context.get(), piece.data(), piece.size()) != 1)
      return Error(Code::kInternal, "layer: hashing failed");
    if (!Push(std::move(piece))) return Error(Code::kCancelled, "layer: reading was given up");
  }
  std::array<uint8_t, kDigestSize> hash;
  if (EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) != 1)
    return Error(Code::kInternal, "layer: hashing failed");
  digest = ToHex(hash);
  return {};
}

void TarStream::State::Run() {
  auto result = Produce();
  const std::scoped_lock lock(mutex);
  if (!result) error = std::move(result).error();
  ended = true;
  changed.notify_all();
}

TarStream::TarStream(ReadBytes read, uint64_t max_bytes)
    : state_(std::make_unique<State>(std::move(read), max_bytes)) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

TarStream::~TarStream() {
  {
    const std::scoped_lock lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->thread.join();
}

Result<std::span<const std::byte>> TarStream::Next() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] { return !state_->ready.empty() || state_->ended; });
  state_->current.clear();
  if (!state_->ready.empty()) {
    state_->current = std::move(state_->ready.front());
    state_->ready.pop_front();
    state_->changed.notify_all();
  } else if (state_->error) {
    return *state_->error;
  }
  return std::span<const std::byte>(state_->current);
}

Result<std::string> TarStream::Finish() {
  while (!TRY(Next()).empty()) {
  }
  return state_->digest;
}

uint64_t TarStream::bytes() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->bytes;
}

}  // namespace kata_cc::verity
