// SPDX-License-Identifier: Apache-2.0
// A layer of any bytes is turned into an image or refused; the same bytes give the same hash.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "proto/verity/layer_image.h"

namespace {

kata_cc::Result<kata_cc::verity::LayerImage> Hash(const uint8_t* data, size_t size, size_t step) {
  size_t at = 0;
  kata_cc::verity::LayerOptions options;
  options.limits = {.tar_bytes = 1 << 20, .file_bytes = 1 << 24, .entries = 1000};
  return kata_cc::verity::HashLayer(
      [&](std::span<std::byte> buffer) -> kata_cc::Result<std::size_t> {
        const size_t count = std::min({buffer.size(), size - at, step});
        std::memcpy(buffer.data(), data + at, count);
        at += count;
        return count;
      },
      options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto whole = Hash(data, size, SIZE_MAX);
  const auto parts = Hash(data, size, 511);
  if (whole.has_value() != parts.has_value()) std::abort();
  if (whole && whole->root_hash != parts->root_hash) std::abort();
  return 0;
}
