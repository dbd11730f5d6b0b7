// SPDX-License-Identifier: Apache-2.0
#define OPENSSL_SUPPRESS_DEPRECATED
#include "guest-image/measure/digest.h"

#include <openssl/sha.h>

namespace kata_cc::measure {

Sha256Digest Sha256(std::initializer_list<ByteView> parts) {
  SHA256_CTX context;
  SHA256_Init(&context);
  for (const ByteView part : parts)
    SHA256_Update(&context, part.data(), part.size());
  Sha256Digest digest;
  SHA256_Final(digest.data(), &context);
  return digest;
}

Sha384Digest Sha384(std::initializer_list<ByteView> parts) {
  SHA512_CTX context;
  SHA384_Init(&context);
  for (const ByteView part : parts)
    SHA384_Update(&context, part.data(), part.size());
  Sha384Digest digest;
  SHA384_Final(digest.data(), &context);
  return digest;
}

}  // namespace kata_cc::measure
