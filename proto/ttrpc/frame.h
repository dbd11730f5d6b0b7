// SPDX-License-Identifier: Apache-2.0
// ttrpc frames: 10 bytes of header (u32 length, u32 stream id, u8 type, u8 flags; big endian),
// then the data. Source: containerd/ttrpc PROTOCOL.md and channel.go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::ttrpc {

inline constexpr std::size_t kHeaderBytes = 10;
inline constexpr std::size_t kMaxDataBytes = 4U << 20U;

enum FrameType : std::uint8_t { kRequestFrame = 1, kResponseFrame = 2, kDataFrame = 3 };

struct FrameHeader {
  std::uint32_t length = 0;
  std::uint32_t stream_id = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
};

// Writes the header to the first kHeaderBytes bytes of out, which has room for them.
void EncodeHeader(const FrameHeader& header, char* out);

// Takes a byte stream apart into frames, however the bytes are cut into pieces. It holds at most
// one frame's data, and only as much of it as has come. Not thread safe.
class FrameParser {
 public:
  struct Frame {
    FrameHeader header;
    std::string_view data;   // Until the next call. Empty when oversized.
    bool oversized = false;  // Longer than kMaxDataBytes: its bytes were dropped.
  };

  // Takes bytes off the front of input: a frame as soon as one is complete, none once all of
  // input is taken. InvalidArgument: this is no ttrpc stream (a frame of type 0, or an oversized
  // one of no known type); nothing more can be made of it then, short of Reset().
  Result<std::optional<Frame>> Next(std::string_view* input);

  // Whether the stream may end here: between two frames.
  bool between_frames() const { return header_bytes_ == 0; }

  // Forgets a frame begun.
  void Reset();

 private:
  bool TakeHeader(std::string_view* input);
  Result<void> CheckHeader() const;

  char header_buffer_[kHeaderBytes] = {};
  std::size_t header_bytes_ = 0;
  FrameHeader header_;
  std::size_t missing_ = 0;  // Bytes of the frame's data that have not come.
  bool delivered_ = false;   // data_ was given out: to be emptied at the next call.
  std::string data_;
};

}  // namespace kata_cc::ttrpc
