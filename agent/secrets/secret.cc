// SPDX-License-Identifier: Apache-2.0
#include "agent/secrets/secret.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kata_cc::agent {

Result<Secret> Secret::Make(std::size_t size) {
  if (size == 0) return Secret();
  void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return Error(Code::kResourceExhausted, "secret: no memory");
  Secret out(static_cast<std::uint8_t*>(pages), size);
  if (::mlock(pages, size) != 0) return Error(Code::kResourceExhausted, "secret: mlock refused");
  ::madvise(pages, size, MADV_DONTDUMP);
  return out;
}

Result<Secret> Secret::Copy(ByteView bytes) {
  Secret out = TRY(Make(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), out.data_);
  return out;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  return *this;
}

void Secret::Wipe() {
  if (data_ == nullptr) return;
  ::explicit_bzero(data_, mapped_);
  ::munmap(data_, mapped_);  // Unlocks, too.
  data_ = nullptr;
  size_ = mapped_ = 0;
}

}  // namespace kata_cc::agent
