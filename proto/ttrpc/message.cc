// SPDX-License-Identifier: Apache-2.0
#include "proto/ttrpc/message.h"

#include <algorithm>
#include <utility>

#include "proto/ttrpc/ttrpc.pb.h"

namespace kata_cc::ttrpc {
namespace {

constexpr std::size_t kMaxMessageBytes = 64U << 10U;

// Length of the UTF-8 character at the front of text; 0 when there is none (RFC 3629).
std::size_t CharacterBytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (first >= 0xc2 && first <= 0xdf) length = 2;
  if (first >= 0xe0 && first <= 0xef) length = 3;
  if (first >= 0xf0 && first <= 0xf4) length = 4;
  if (first == 0xe0) low = 0xa0;
  if (first == 0xed) high = 0x9f;
  if (first == 0xf0) low = 0x90;
  if (first == 0xf4) high = 0x8f;
  if (length == 0 || text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  return length;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = CharacterBytes(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string SendableText(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = CharacterBytes(text);
    if (out.size() + std::max<std::size_t>(length, 1) > kMaxMessageBytes) break;
    out += length == 0 ? std::string_view("?") : text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string Frame(std::uint32_t stream_id, FrameType type,
                  const google::protobuf::MessageLite& message, std::size_t size) {
  std::string frame(kHeaderBytes + size, '\0');
  EncodeHeader({static_cast<std::uint32_t>(size), stream_id, type, 0}, frame.data());
  message.SerializeWithCachedSizesToArray(
      reinterpret_cast<std::uint8_t*>(frame.data() + kHeaderBytes));
  return frame;
}

}  // namespace

Error OversizedError(std::uint64_t length) {
  return {Code::kResourceExhausted, "message length " + std::to_string(length) +
                                        " exceed maximum message size of " +
                                        std::to_string(kMaxDataBytes)};
}

Result<std::string> EncodeRequest(std::uint32_t stream_id, const ::ttrpc::Request& request) {
  bool sendable = IsUtf8(request.service()) && IsUtf8(request.method());
  for (const ::ttrpc::KeyValue& pair : request.metadata())
    sendable = sendable && IsUtf8(pair.key()) && IsUtf8(pair.value());
  if (!sendable) {
    return Error(Code::kInvalidArgument, "ttrpc: service, method or metadata is not UTF-8");
  }
  const std::size_t size = request.ByteSizeLong();
  if (size > kMaxDataBytes) return OversizedError(size);
  return Frame(stream_id, kRequestFrame, request, size);
}

std::string EncodeReply(std::uint32_t stream_id, std::string payload) {
  ::ttrpc::Response response;
  response.set_payload(std::move(payload));
  const std::size_t size = response.ByteSizeLong();
  if (size > kMaxDataBytes) return EncodeFailure(stream_id, OversizedError(size));
  return Frame(stream_id, kResponseFrame, response, size);
}

std::string EncodeFailure(std::uint32_t stream_id, const Error& error) {
  ::ttrpc::Response response;
  response.mutable_status()->set_code(static_cast<int>(error.code()));
  response.mutable_status()->set_message(SendableText(error.message()));
  return Frame(stream_id, kResponseFrame, response, response.ByteSizeLong());
}

}  // namespace kata_cc::ttrpc
