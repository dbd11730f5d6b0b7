// SPDX-License-Identifier: Apache-2.0
// The frame parser: the same bytes give the same frames however they are cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/ttrpc/frame.h"
#include "proto/ttrpc/ttrpc.pb.h"

namespace {

using kata_cc::ttrpc::FrameParser;

struct Seen {
  std::vector<std::string> frames;
  bool garbage = false;
  bool operator==(const Seen&) const = default;
};

Seen Parse(std::string_view bytes, std::size_t piece) {
  Seen seen;
  FrameParser parser;
  while (!bytes.empty()) {
    std::string_view input = bytes.substr(0, piece);
    bytes.remove_prefix(input.size());
    while (true) {
      auto frame = parser.Next(&input);
      if (!frame) {
        seen.garbage = true;
        return seen;
      }
      if (!*frame) break;
      if ((*frame)->data.size() > kata_cc::ttrpc::kMaxDataBytes) __builtin_trap();
      seen.frames.emplace_back((*frame)->data);
    }
    if (!input.empty()) __builtin_trap();
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t piece = size == 0 ? 1 : 1 + data[0] % 23U;
  const Seen whole = Parse(bytes, std::max<std::size_t>(size, 1));
  if (!(whole == Parse(bytes, piece))) __builtin_trap();
  for (const std::string& frame : whole.frames) {
    ttrpc::Request request;
    (void)request.ParseFromString(frame);
  }
  return 0;
}
