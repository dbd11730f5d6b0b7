// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/digest.h"

#include <cstdlib>

namespace kata_cc::measure {

Hasher::Hasher(const char* algorithm)
    : md_(EVP_MD_fetch(nullptr, algorithm, nullptr)), context_(EVP_MD_CTX_new()) {
  if (!md_ || !context_) std::abort();
}

Hasher Hasher::Sha256() {
  return Hasher("SHA2-256");
}
Hasher Hasher::Sha384() {
  return Hasher("SHA2-384");
}

void Hasher::Hash(std::initializer_list<ByteView> parts, std::span<std::uint8_t> out) {
  bool ok = static_cast<int>(out.size()) == EVP_MD_get_size(md_.get()) &&
            EVP_DigestInit_ex2(context_.get(), md_.get(), nullptr) == 1;
  for (const ByteView part : parts) {
    ok = ok && EVP_DigestUpdate(context_.get(), part.data(), part.size()) == 1;
  }
  ok = ok && EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1;
  if (!ok) std::abort();
}

Sha256Digest Sha256(std::initializer_list<ByteView> parts) {
  Sha256Digest digest;
  Hasher::Sha256().Hash(parts, digest);
  return digest;
}

Sha384Digest Sha384(std::initializer_list<ByteView> parts) {
  Sha384Digest digest;
  Hasher::Sha384().Hash(parts, digest);
  return digest;
}

}  // namespace kata_cc::measure
