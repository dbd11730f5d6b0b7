// SPDX-License-Identifier: Apache-2.0
// TarStream: a layer as a registry stores it (plain, gzip or zstd) turned into the bytes of its
// tar, decompressed and hashed on a thread of its own, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace kata_cc::verity {

// Fills some of the buffer and returns how much; 0 is the end. Called from one thread at a time.
using ReadBytes = std::function<Result<std::size_t>(std::span<std::byte>)>;

class TarStream {
 public:
  // read is called from the stream's thread until the stream is gone. Fails past max_bytes of tar.
  TarStream(ReadBytes read, uint64_t max_bytes);
  TarStream(const TarStream&) = delete;
  TarStream& operator=(const TarStream&) = delete;
  ~TarStream();

  // The next piece, valid until the next call; empty at the end.
  Result<std::span<const std::byte>> Next();

  // Reads what is left. Returns SHA-256 of all bytes of the tar, the OCI diff id, in hex.
  Result<std::string> Finish();
  uint64_t bytes() const;  // Of tar, so far; of all after Finish.

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kata_cc::verity
