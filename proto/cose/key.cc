// SPDX-License-Identifier: Apache-2.0
#include "proto/cose/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

namespace kata_cc::cose {
namespace {

constexpr int kMinRsaBits = 2048;

struct ClearErrors {
  ClearErrors() = default;
  ClearErrors(const ClearErrors&) = delete;
  ClearErrors& operator=(const ClearErrors&) = delete;
  ~ClearErrors() { ERR_clear_error(); }
};

struct FreeParts {
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
};
template <typename T>
using Owned = std::unique_ptr<T, FreeParts>;

bool IsEcdsa(std::int64_t algorithm) {
  return algorithm == kEs256 || algorithm == kEs384 || algorithm == kEs512;
}

const EVP_MD* Digest(std::int64_t algorithm) {
  switch (algorithm) {
    case kEs256:
    case kPs256:
      return EVP_sha256();
    case kEs384:
    case kPs384:
      return EVP_sha384();
    case kEs512:
    case kPs512:
      return EVP_sha512();
    default:
      return nullptr;
  }
}

bool Fits(std::int64_t algorithm, EVP_PKEY* key) {
  if (key == nullptr || Digest(algorithm) == nullptr) return false;
  if (IsEcdsa(algorithm)) return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) >= kMinRsaBits;
}

std::size_t ScalarSize(EVP_PKEY* key) {
  return (static_cast<std::size_t>(EVP_PKEY_get_bits(key)) + 7) / 8;
}

bool SetPss(std::int64_t algorithm, EVP_PKEY_CTX* parameters) {
  return EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, Digest(algorithm)) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, EVP_MD_get_size(Digest(algorithm))) == 1;
}

// COSE's r and s, big endian and of the curve's size, as OpenSSL takes them. Empty: they are none.
Bytes ToDerSignature(EVP_PKEY* key, ByteView raw) {
  const std::size_t size = ScalarSize(key);
  if (raw.size() != 2 * size) return {};
  const Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  Owned<BIGNUM> r(BN_bin2bn(raw.data(), static_cast<int>(size), nullptr));
  Owned<BIGNUM> s(BN_bin2bn(raw.data() + size, static_cast<int>(size), nullptr));
  if (!signature || !r || !s || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) return {};
  (void)r.release();  // Now the signature's.
  (void)s.release();
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  const Owned<unsigned char> owner(der);
  return length > 0 ? Bytes(der, der + length) : Bytes();
}

Result<Bytes> FromDerSignature(EVP_PKEY* key, const Bytes& der) {
  const unsigned char* at = der.data();
  const Owned<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  const auto size = static_cast<int>(ScalarSize(key));
  Bytes raw(2 * ScalarSize(key));
  if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), raw.data(), size) < 0 ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), raw.data() + size, size) < 0) {
    return Error(Code::kInternal, "cose: signing failed");
  }
  return raw;
}

}  // namespace

bool IsKnown(std::int64_t algorithm) {
  return Digest(algorithm) != nullptr;
}

bool Verify(std::int64_t algorithm, EVP_PKEY* key, ByteView signature, ByteView message) {
  const ClearErrors clear;
  if (!Fits(algorithm, key)) return false;
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  if (!context ||
      EVP_DigestVerifyInit(context.get(), &parameters, Digest(algorithm), nullptr, key) != 1) {
    return false;
  }
  Bytes der;
  if (IsEcdsa(algorithm)) {
    der = ToDerSignature(key, signature);
    if (der.empty()) return false;
    signature = der;
  } else if (!SetPss(algorithm, parameters)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

Result<Bytes> Sign(std::int64_t algorithm, EVP_PKEY* key, ByteView message) {
  const ClearErrors clear;
  if (!Fits(algorithm, key)) {
    return Error(Code::kInvalidArgument, "cose: the key is not for this algorithm");
  }
  const Error failed(Code::kInternal, "cose: signing failed");
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  std::size_t size = 0;
  if (!context ||
      EVP_DigestSignInit(context.get(), &parameters, Digest(algorithm), nullptr, key) != 1 ||
      (!IsEcdsa(algorithm) && !SetPss(algorithm, parameters)) ||
      EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()) != 1) {
    return failed;
  }
  Bytes signature(size);
  if (EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()) != 1) {
    return failed;
  }
  signature.resize(size);
  if (!IsEcdsa(algorithm)) return signature;
  return FromDerSignature(key, signature);
}

Result<std::int64_t> AlgorithmOf(EVP_PKEY* key) {
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA) {
    return static_cast<std::int64_t>(kPs384);
  }
  if (key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
    switch (EVP_PKEY_get_bits(key)) {
      case 256:
        return static_cast<std::int64_t>(kEs256);
      case 384:
        return static_cast<std::int64_t>(kEs384);
      case 521:
        return static_cast<std::int64_t>(kEs512);
      default:
        break;
    }
  }
  return Error(Code::kInvalidArgument, "cose: key is neither RSA nor on P-256, P-384, P-521");
}

Result<X509Ptr> LoadDer(ByteView der) {
  const ClearErrors clear;
  const unsigned char* at = der.data();
  X509Ptr x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!x509 || at != der.data() + der.size()) {
    return Error(Code::kInvalidArgument, "certificate: malformed");
  }
  return x509;
}

Bytes ToDer(const X509* x509) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(x509, &der);
  const Owned<unsigned char> owner(der);
  return size > 0 ? Bytes(der, der + size) : Bytes();
}

Result<PKey> LoadPoint(const std::string& curve, ByteView x, ByteView y) {
  const ClearErrors clear;
  const std::size_t size = curve == "P-256"   ? 32
                           : curve == "P-384" ? 48
                           : curve == "P-521" ? 66
                                              : 0;
  const Error error(Code::kInvalidArgument, "key: not a point on P-256, P-384 or P-521");
  if (size == 0 || x.size() != size || y.size() != size) return error;
  Bytes point = {4};  // Uncompressed.
  point.insert(point.end(), x.begin(), x.end());
  point.insert(point.end(), y.begin(), y.end());
  std::string group = curve;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return error;
  }
  return PKey(key);
}

}  // namespace kata_cc::cose
