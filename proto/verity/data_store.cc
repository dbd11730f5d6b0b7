// SPDX-License-Identifier: Apache-2.0
#include "proto/verity/data_store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/retry.h"

namespace kata_cc::verity {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;
constexpr uint64_t kMaxChunks = 65536;
constexpr std::array<uint8_t, kBlockSize> kZeros{};

bool AllZero(std::span<const uint8_t> data) {
  return data.empty() ||
         (data[0] == 0 && std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

uint64_t ChunkBytes(uint64_t size) {
  uint64_t bytes = DataStore::kMinChunkBytes;
  while (size / bytes >= kMaxChunks)
    bytes *= 2;
  return bytes;
}

}  // namespace

Result<void> WriteAt(const UniqueFd& file, std::span<const uint8_t> data, uint64_t offset) {
  while (!data.empty()) {
    const ssize_t count = RetryOnEintr(
        [&] { return pwrite(file.get(), data.data(), data.size(), static_cast<off_t>(offset)); });
    if (count < 0) return ErrnoError(errno, "write layer image");
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

Result<void> ReadAt(const UniqueFd& file, std::span<uint8_t> to, uint64_t offset) {
  while (!to.empty()) {
    const ssize_t count = RetryOnEintr(
        [&] { return pread(file.get(), to.data(), to.size(), static_cast<off_t>(offset)); });
    if (count < 0) return ErrnoError(errno, "read layer image");
    if (count == 0) return Error(Code::kDataLoss, "read layer image: file is too short");
    to = to.subspan(static_cast<std::size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
  return {};
}

DataStore::DataStore(MakeFile make_file, UniqueFd tails)
    : make_file_(std::move(make_file)), tails_(std::move(tails)) {}

Result<void> DataStore::Open() {
  file_ = TRY(make_file_());
  leaves_.assign(1, Digest{});
  written_ = 0;
  pending_.assign(kZeros.begin(), kZeros.end());
  return {};
}

Result<void> DataStore::Flush() {
  if (file_.valid()) TRY(WriteAt(file_, pending_, written_));
  written_ += pending_.size();
  pending_.clear();
  return {};
}

Result<void> DataStore::Write(std::span<const uint8_t> data) {
  if (pending_.size() + data.size() > kWriteBytes) TRY(Flush());
  if (data.size() >= kWriteBytes) {  // Not copied once more.
    if (file_.valid()) TRY(WriteAt(file_, data, written_));
    written_ += data.size();
    return {};
  }
  pending_.insert(pending_.end(), data.begin(), data.end());
  return {};
}

Result<void> DataStore::Emit(std::span<const uint8_t> data) {
  if (next_block() + data.size() / kBlockSize + 1 > kMaxDataBlocks)
    return Error(Code::kResourceExhausted, "layer image: too large");
  for (std::size_t at = 0; at < data.size(); at += kBlockSize)
    leaves_.push_back(
        hasher_.Hash(data.subspan(at, std::min<std::size_t>(kBlockSize, data.size() - at))));
  TRY(Write(data));
  const std::size_t over = data.size() % kBlockSize;
  if (over != 0) TRY(Write(std::span(kZeros).first(kBlockSize - over)));
  return {};
}

void DataStore::Begin(Node& file) {
  node_ = &file;
  node_->data = FileData{};
  node_->data.first_block = next_block();
  position_ = 0;
  chunk_bytes_ = ChunkBytes(file.size);
  node_->data.chunk_bits = static_cast<uint8_t>(std::countr_zero(chunk_bytes_ / kBlockSize));
  chunk_.clear();
}

// Takes in the bytes of one whole chunk.
Result<void> DataStore::EndChunk() {
  const bool hole = AllZero(chunk_);
  node_->data.present_chunks.push_back(!hole);
  if (!hole) TRY(Emit(chunk_));
  chunk_.clear();
  return {};
}

Result<void> DataStore::Append(uint64_t offset, std::span<const uint8_t> data) {
  if (offset < position_ || offset + data.size() > node_->size)
    return Error(Code::kInvalidArgument, "layer entry: data outside of the file's size");
  while (position_ < offset) {
    if (chunk_.empty() && offset - position_ >= chunk_bytes_) {
      node_->data.present_chunks.push_back(false);
      position_ += chunk_bytes_;
      continue;
    }
    const uint64_t gap = std::min(offset - position_, chunk_bytes_ - chunk_.size());
    chunk_.resize(chunk_.size() + gap);
    position_ += gap;
    if (chunk_.size() == chunk_bytes_) TRY(EndChunk());
  }
  while (!data.empty()) {
    const std::size_t part = std::min<std::size_t>(data.size(), chunk_bytes_ - chunk_.size());
    chunk_.insert(chunk_.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(part));
    data = data.subspan(part);
    position_ += part;
    if (chunk_.size() == chunk_bytes_) TRY(EndChunk());
  }
  return {};
}

Result<void> DataStore::Finish() {
  TRY(Append(node_->size, {}));  // A hole at the end.
  FileData& data = node_->data;
  const auto has_hole = [&] {
    return std::ranges::find(data.present_chunks, false) != data.present_chunks.end();
  };
  if (!chunk_.empty() && (has_hole() || (!data.present_chunks.empty() && AllZero(chunk_)))) {
    TRY(EndChunk());
  } else if (!chunk_.empty()) {
    const std::span<const uint8_t> rest = chunk_;
    std::size_t tail = rest.size() % kBlockSize;
    if (tail > kMaxTailBytes) tail = 0;
    TRY(Emit(rest.first(rest.size() - tail)));
    if (tail != 0) {
      data.tail_bytes = static_cast<uint32_t>(tail);
      data.tail_at = tails_end_;
      TRY(WriteAt(tails_, rest.last(tail), tails_end_));
      tails_end_ += tail;
    }
  }
  if (!has_hole()) data.present_chunks.clear();
  data.blocks = static_cast<uint32_t>(next_block() - data.first_block);
  node_ = nullptr;
  return {};
}

Result<std::vector<uint8_t>> DataStore::Tail(const FileData& data) const {
  std::vector<uint8_t> tail(data.tail_bytes);
  TRY(ReadAt(tails_, tail, data.tail_at));
  return tail;
}

Result<void> DataStore::CopyBlocks(const UniqueFd& from, const std::vector<Digest>& leaves,
                                   FileData& data) {
  const uint64_t first = next_block();
  const auto begin = leaves.begin() + static_cast<std::ptrdiff_t>(data.first_block);
  leaves_.insert(leaves_.end(), begin, begin + data.blocks);
  if (from.valid() && data.blocks > 0) {
    TRY(Flush());
    auto in = static_cast<loff_t>(data.first_block * kBlockSize);
    auto out = static_cast<loff_t>(written_);
    for (uint64_t left = uint64_t{data.blocks} * kBlockSize; left > 0;) {
      const ssize_t count = RetryOnEintr(
          [&] { return copy_file_range(from.get(), &in, file_.get(), &out, left, 0); });
      if (count <= 0) return ErrnoError(count < 0 ? errno : EIO, "copy within layer image");
      left -= static_cast<uint64_t>(count);
    }
    written_ = static_cast<uint64_t>(out);
  } else {
    written_ += uint64_t{data.blocks} * kBlockSize;
  }
  data.first_block = first;
  return {};
}

Result<void> DataStore::Arrange(const std::vector<Node*>& files) {
  uint64_t next = 1;
  bool in_order = true;
  for (const Node* file : files) {
    if (file->data.blocks > 0) in_order &= file->data.first_block == next;
    in_order &= !file->data.tail_as_block;
    next += file->data.blocks;
  }
  if (in_order && next == next_block()) return {};

  TRY(Flush());
  const UniqueFd old = std::move(file_);
  const std::vector<Digest> leaves = std::move(leaves_);
  TRY(Open());
  for (Node* file : files) {
    FileData& data = file->data;
    TRY(CopyBlocks(old, leaves, data));
    if (!data.tail_as_block) continue;
    const std::vector<uint8_t> tail = TRY(Tail(data));
    TRY(Emit(tail));
    data.tail_bytes = 0;
    ++data.blocks;
  }
  return {};
}

Result<void> DataStore::AppendBlocks(std::span<const uint8_t> data) {
  return Emit(data);
}

Result<void> DataStore::SetFirstBlock(std::span<const uint8_t> block) {
  leaves_.front() = hasher_.Hash(block);
  TRY(Flush());
  if (file_.valid()) TRY(WriteAt(file_, block, 0));
  return {};
}

Result<DataStore::Sealed> DataStore::Seal() {
  Sealed sealed;
  sealed.geometry.data_blocks = leaves_.size();
  sealed.root_hash = TRY(WriteHashTree(
      hasher_, leaves_, [this](std::span<const uint8_t> data) { return Write(data); }));
  TRY(Write(EncodeTrailer(sealed.geometry, sealed.root_hash)));
  TRY(Flush());
  sealed.file = std::move(file_);
  return sealed;
}

}  // namespace kata_cc::verity
