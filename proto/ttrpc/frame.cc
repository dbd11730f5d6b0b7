// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/frame.h"

#include <algorithm>

namespace kata_cc::ttrpc {
namespace {

// Room that a parser keeps from one frame to the next; more is given back.
constexpr std::size_t kKeptBytes = 64U << 10U;

void PutUint32(std::uint32_t value, char* out) {
  for (int i = 0; i < 4; ++i)
    out[i] = static_cast<char>(value >> (24 - 8 * i));
}

std::uint32_t GetUint32(const char* in) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i)
    value = (value << 8U) | static_cast<std::uint8_t>(in[i]);
  return value;
}

}  // namespace

void EncodeHeader(const FrameHeader& header, char* out) {
  PutUint32(header.length, out);
  PutUint32(header.stream_id, out + 4);
  out[8] = static_cast<char>(header.type);
  out[9] = static_cast<char>(header.flags);
}

Result<void> FrameParser::CheckHeader() const {
  if (header_.type == 0) {
    return Error(Code::kInvalidArgument, "ttrpc: no ttrpc stream: a frame of type 0");
  }
  if (header_.length > kMaxDataBytes && header_.type > kDataFrame) {
    return Error(Code::kInvalidArgument, "ttrpc: no ttrpc stream: a frame of type " +
                                             std::to_string(header_.type) + " and " +
                                             std::to_string(header_.length) + " bytes");
  }
  return {};
}

bool FrameParser::TakeHeader(std::string_view* input) {
  const std::size_t taken = std::min(kHeaderBytes - header_bytes_, input->size());
  input->copy(header_buffer_ + header_bytes_, taken);
  input->remove_prefix(taken);
  header_bytes_ += taken;
  if (header_bytes_ < kHeaderBytes) return false;
  header_.length = GetUint32(header_buffer_);
  header_.stream_id = GetUint32(header_buffer_ + 4);
  header_.type = static_cast<std::uint8_t>(header_buffer_[8]);
  header_.flags = static_cast<std::uint8_t>(header_buffer_[9]);
  missing_ = header_.length;
  return true;
}

Result<std::optional<FrameParser::Frame>> FrameParser::Next(std::string_view* input) {
  if (delivered_) {
    delivered_ = false;
    data_.clear();
    if (data_.capacity() > kKeptBytes) data_.shrink_to_fit();
  }
  if (header_bytes_ < kHeaderBytes) {
    if (!TakeHeader(input)) return std::optional<Frame>();
    TRY(CheckHeader());
  }
  const std::size_t taken = std::min(missing_, input->size());
  const std::string_view piece = input->substr(0, taken);
  const bool oversized = header_.length > kMaxDataBytes;
  // A frame that is whole in the input is given out from there, without a copy.
  const bool whole = data_.empty() && taken == header_.length;
  if (!oversized && !whole) data_.append(piece);
  input->remove_prefix(taken);
  missing_ -= taken;
  if (missing_ > 0) return std::optional<Frame>();
  header_bytes_ = 0;
  delivered_ = true;
  Frame frame{header_, {}, oversized};
  if (!oversized) frame.data = whole ? piece : std::string_view(data_);
  return std::optional<Frame>(frame);
}

void FrameParser::Reset() {
  header_bytes_ = 0;
  missing_ = 0;
  delivered_ = false;
  data_ = {};
}

}  // namespace kata_cc::ttrpc
