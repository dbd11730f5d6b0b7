// SPDX-License-Identifier: Apache-2.0
// What a guest and the host side of the SEV-SNP simulator say to each other, over a virtio-serial
// port or a unix socket: one request, one response, in order. Nothing of it exists in a real TEE.
//   request   "kcsimreq" | u64 sequence | 64 bytes of report data
//   response  "kcsimrsp" | u64 sequence | u32 status | u32 length | payload
// Integers are little endian. Status 0: the payload is a report and then a certificate table;
// otherwise it is the reason, as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/report.h"

namespace kata_cc::snp::sim {

inline constexpr std::string_view kPortName = "org.kata-cc.sim.0";
inline constexpr std::size_t kRequestSize = 80;
inline constexpr std::size_t kResponseHeaderSize = 24;
inline constexpr std::size_t kMaxPayloadSize = std::size_t{512} << 10;

struct Request {
  std::uint64_t sequence = 0;
  ByteArray<64> report_data{};
};
ByteArray<kRequestSize> EncodeRequest(const Request& request);
// kInvalidArgument unless it is exactly one request.
Result<Request> ParseRequest(ByteView bytes);

struct ResponseHeader {
  std::uint64_t sequence = 0;
  std::uint32_t status = 0;
  std::uint32_t length = 0;  // Of the payload, at most kMaxPayloadSize.
};
Bytes EncodeResponse(std::uint64_t sequence, std::uint32_t status, ByteView payload);
// kInvalidArgument unless it is exactly one header, and of an admissible length.
Result<ResponseHeader> ParseResponseHeader(ByteView bytes);

}  // namespace kata_cc::snp::sim
