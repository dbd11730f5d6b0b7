// SPDX-License-Identifier: Apache-2.0
// Reading the files and values that the commands of kata-ccctl are given.
#pragma once

#include <algorithm>
#include <array>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/encoding.h"
#include "base/file.h"
#include "base/result.h"

namespace kata_cc::ctl {

// "2026-11-24T22:48:00Z", also with a fraction and with an offset from UTC (RFC 3339).
Result<std::time_t> ParseRfc3339(std::string_view text);

// A number, decimal or with 0x, of at most 64 bits.
Result<std::uint64_t> ParseNumber(std::string_view text, const std::string& what);

// Exactly kSize bytes in hexadecimal; what names the value in the error.
template <std::size_t kSize>
Result<std::array<std::uint8_t, kSize>> ParseHex(std::string_view text, const std::string& what) {
  const Bytes bytes = TRY_CONTEXT(HexDecode(text), what);
  if (bytes.size() != kSize) {
    return Error(Code::kInvalidArgument,
                 what + ": not " + std::to_string(2 * kSize) + " hexadecimal digits");
  }
  std::array<std::uint8_t, kSize> out;
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

// Load (a Cert, a Crl: from bytes) of the file at path; errors name it.
template <typename T>
Result<T> LoadFile(const std::string& path, std::size_t limit) {
  const Bytes bytes = TRY(ReadFile(path, limit));
  return TRY_CONTEXT(T::Load(bytes), path);
}

// A file's bytes, a regular one's without a copy of them: for images of many MiB. Nobody may cut
// the file short meanwhile: that ends the program.
class MappedFile {
 public:
  // The errors of ReadFile.
  static Result<MappedFile> Open(const std::string& path, std::size_t limit);
  MappedFile(MappedFile&& other) noexcept
      : read_(std::move(other.read_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  ByteView view() const {
    return data_ == nullptr ? ByteView(read_) : ByteView(static_cast<std::uint8_t*>(data_), size_);
  }

 private:
  explicit MappedFile(Bytes read) : read_(std::move(read)) {}
  MappedFile(void* data, std::size_t size) : data_(data), size_(size) {}

  Bytes read_;
  void* data_ = nullptr;  // Null: read_ is it.
  std::size_t size_ = 0;
};

}  // namespace kata_cc::ctl
