// SPDX-License-Identifier: Apache-2.0
// Little-endian integers at an offset of a buffer. The caller has checked the bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kata_cc::verity {

template <std::size_t kBytes>
void PutLe(std::span<uint8_t> to, std::size_t at, uint64_t value) {
  for (std::size_t i = 0; i < kBytes; ++i)
    to[at + i] = static_cast<uint8_t>(value >> (8 * i));
}
inline void PutLe16(std::span<uint8_t> to, std::size_t at, uint16_t value) {
  PutLe<2>(to, at, value);
}
inline void PutLe32(std::span<uint8_t> to, std::size_t at, uint32_t value) {
  PutLe<4>(to, at, value);
}
inline void PutLe64(std::span<uint8_t> to, std::size_t at, uint64_t value) {
  PutLe<8>(to, at, value);
}

inline uint64_t GetLe64(std::span<const uint8_t> from, std::size_t at) {
  uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= uint64_t{from[at + i]} << (8 * i);
  return value;
}
inline uint32_t GetLe32(std::span<const uint8_t> from, std::size_t at) {
  uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value |= uint32_t{from[at + i]} << (8 * i);
  return value;
}

}  // namespace kata_cc::verity
