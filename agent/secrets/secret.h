// SPDX-License-Identifier: Apache-2.0
// Secret: bytes that never leave memory by themselves: on pages of their own, locked against swap,
// kept out of core dumps, wiped at the end. It has no stream operator and no conversion to text, so
// that none reaches a log by accident.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc::agent {

class Secret {
 public:
  Secret() = default;
  // Zeros. kResourceExhausted when so much memory cannot be locked.
  static Result<Secret> Make(std::size_t size);
  static Result<Secret> Copy(ByteView bytes);
  Secret(Secret&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        mapped_(std::exchange(other.mapped_, 0)) {}
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { Wipe(); }

  std::span<std::uint8_t> bytes() { return {data_, size_}; }
  ByteView view() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  std::size_t size() const { return size_; }

  // Fewer bytes than now; those cut off are wiped with the rest, at the end.
  void Shrink(std::size_t size) { size_ = size < size_ ? size : size_; }

 private:
  Secret(std::uint8_t* data, std::size_t size) : data_(data), size_(size), mapped_(size) {}
  void Wipe();

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

}  // namespace kata_cc::agent
