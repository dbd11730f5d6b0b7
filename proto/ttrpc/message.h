// SPDX-License-Identifier: Apache-2.0
// The envelopes of ttrpc.proto as whole frames, ready to be sent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "proto/ttrpc/frame.h"

namespace ttrpc {
class Request;
}

namespace kata_cc::ttrpc {

// InvalidArgument when a name or metadata is not UTF-8, ResourceExhausted beyond kMaxDataBytes.
Result<std::string> EncodeRequest(std::uint32_t stream_id, const ::ttrpc::Request& request);

// A success. One beyond kMaxDataBytes turns into a ResourceExhausted status.
std::string EncodeReply(std::uint32_t stream_id, std::string payload);

// A failure. The message is cut at 64 KiB, and bytes that are not UTF-8 become '?', for peers
// refuse a status with such bytes.
std::string EncodeFailure(std::uint32_t stream_id, const Error& error);

// What containerd's implementation says of a message that is too long.
Error OversizedError(std::uint64_t length);

}  // namespace kata_cc::ttrpc
