// SPDX-License-Identifier: Apache-2.0
// Owning handles of OpenSSL's objects, and digests of text.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kata_cc::policy_crypto {

template <auto kFree>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};

using Pkey = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using CertificateRequest = std::unique_ptr<X509_REQ, Freed<X509_REQ_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;

inline const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
inline unsigned char* Bytes(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

std::string Digest(const EVP_MD* algorithm, std::string_view text);
std::string Hmac(const EVP_MD* algorithm, std::string_view key, std::string_view text);

}  // namespace kata_cc::policy_crypto
