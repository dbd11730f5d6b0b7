// SPDX-License-Identifier: Apache-2.0
// OpenSSL's plain functions, deprecated in favour of EVP: in a static binary EVP would bring in
// every algorithm that there is, more than a megabyte to measure.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "agent/attest/sha2.h"

#include <openssl/sha.h>

namespace kata_cc::agent {
namespace {

unsigned char* Bytes(std::string& out) {
  return reinterpret_cast<unsigned char*>(out.data());
}

}  // namespace

std::string Sha256(std::string_view text) {
  SHA256_CTX context;
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256_Init(&context);
  SHA256_Update(&context, text.data(), text.size());
  SHA256_Final(Bytes(out), &context);
  return out;
}

std::string Sha384(std::string_view text) {
  SHA512_CTX context;
  std::string out(SHA384_DIGEST_LENGTH, '\0');
  SHA384_Init(&context);
  SHA384_Update(&context, text.data(), text.size());
  SHA384_Final(Bytes(out), &context);
  return out;
}

std::string Sha512(std::string_view text) {
  SHA512_CTX context;
  std::string out(SHA512_DIGEST_LENGTH, '\0');
  SHA512_Init(&context);
  SHA512_Update(&context, text.data(), text.size());
  SHA512_Final(Bytes(out), &context);
  return out;
}

}  // namespace kata_cc::agent
