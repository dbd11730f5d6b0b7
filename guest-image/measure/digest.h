// SPDX-License-Identifier: Apache-2.0
// SHA-256 and SHA-384 over OpenSSL, with the algorithm fetched once: a launch digest is thousands
// of short hashes. An object is for one thread; failing to allocate in OpenSSL aborts.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "base/bytes.h"

namespace kata_cc::measure {

using Sha256Digest = std::array<std::uint8_t, 32>;
using Sha384Digest = std::array<std::uint8_t, 48>;

class Hasher {
 public:
  static Hasher Sha256();
  static Hasher Sha384();

  // The hash of the parts in a row, in out, whose size is the algorithm's.
  void Hash(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out);

 private:
  explicit Hasher(const char* algorithm);
  struct Free {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD, Free> md_;
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

Sha256Digest Sha256(std::initializer_list<ByteView> parts);
Sha384Digest Sha384(std::initializer_list<ByteView> parts);

}  // namespace kata_cc::measure
