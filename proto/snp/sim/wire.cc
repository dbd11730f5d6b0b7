// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/sim/wire.h"

#include <algorithm>

namespace kata_cc::snp::sim {
namespace {

constexpr std::string_view kRequestMagic = "kcsimreq";
constexpr std::string_view kResponseMagic = "kcsimrsp";
constexpr std::size_t kSequence = 8;
constexpr std::size_t kReportData = 16;
constexpr std::size_t kStatus = 16;
constexpr std::size_t kLength = 20;

bool BeginsWith(ByteView bytes, std::string_view magic) {
  return std::equal(magic.begin(), magic.end(), bytes.begin(),
                    [](char c, std::uint8_t byte) { return static_cast<std::uint8_t>(c) == byte; });
}

}  // namespace

ByteArray<kRequestSize> EncodeRequest(const Request& request) {
  ByteArray<kRequestSize> out{};
  std::copy(kRequestMagic.begin(), kRequestMagic.end(), out.begin());
  StoreLe(out, kSequence, request.sequence);
  std::copy(request.report_data.begin(), request.report_data.end(), out.begin() + kReportData);
  return out;
}

Result<Request> ParseRequest(ByteView bytes) {
  if (bytes.size() != kRequestSize || !BeginsWith(bytes, kRequestMagic)) {
    return Error(Code::kInvalidArgument, "simulator: not a request");
  }
  Request request;
  request.sequence = LoadLe<std::uint64_t>(bytes, kSequence);
  std::copy(bytes.begin() + kReportData, bytes.end(), request.report_data.begin());
  return request;
}

Bytes EncodeResponse(std::uint64_t sequence, std::uint32_t status, ByteView payload) {
  Bytes out(kResponseHeaderSize + payload.size());
  std::copy(kResponseMagic.begin(), kResponseMagic.end(), out.begin());
  StoreLe(out, kSequence, sequence);
  StoreLe(out, kStatus, status);
  StoreLe(out, kLength, static_cast<std::uint32_t>(payload.size()));
  std::copy(payload.begin(), payload.end(), out.begin() + kResponseHeaderSize);
  return out;
}

Result<ResponseHeader> ParseResponseHeader(ByteView bytes) {
  if (bytes.size() != kResponseHeaderSize || !BeginsWith(bytes, kResponseMagic)) {
    return Error(Code::kInvalidArgument, "simulator: not a response");
  }
  ResponseHeader header;
  header.sequence = LoadLe<std::uint64_t>(bytes, kSequence);
  header.status = LoadLe<std::uint32_t>(bytes, kStatus);
  header.length = LoadLe<std::uint32_t>(bytes, kLength);
  if (header.length > kMaxPayloadSize) {
    return Error(Code::kInvalidArgument, "simulator: the response is too long");
  }
  return header;
}

}  // namespace kata_cc::snp::sim
