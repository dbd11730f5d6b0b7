// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/id_auth.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <algorithm>

namespace kata_cc::snp {
namespace {

// From the firmware's form; null when the point is not on the curve.
PKey DecodeKey(const ByteArray<kKeySize>& blob) {
  constexpr std::size_t kCoordinate = 48;
  const ByteView bytes(blob);
  ByteArray<1 + 2 * kCoordinate> point{};
  point[0] = 4;  // Uncompressed.
  for (std::size_t i = 0; i < 2; ++i) {
    const ByteView scalar = bytes.subspan(4 + i * kScalarSize, kScalarSize);
    const auto fits = [](std::uint8_t byte) { return byte == 0; };
    if (!std::all_of(scalar.begin() + kCoordinate, scalar.end(), fits)) return nullptr;
    std::reverse_copy(scalar.begin(), scalar.begin() + kCoordinate,
                      point.begin() + 1 + static_cast<std::ptrdiff_t>(i * kCoordinate));
  }
  char group[] = "secp384r1";
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    key = nullptr;
  }
  EVP_PKEY_CTX_free(context);
  ERR_clear_error();
  return PKey(key);
}

bool VerifySignature(const ByteArray<kKeySize>& key, const ByteArray<kSignatureSize>& signature,
                     ByteView message) {
  const PKey decoded = DecodeKey(key);
  const ByteView bytes(signature);
  return decoded && VerifyP384(decoded.get(), bytes.first(kScalarSize),
                               bytes.subspan(kScalarSize, kScalarSize), message);
}

std::uint32_t Curve(const ByteArray<kKeySize>& key) {
  return LoadLe<std::uint32_t>(key, 0);
}

template <std::size_t kSize>
bool IsZero(const ByteArray<kSize>& bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

Result<PKey> LoadPrivateKey(ByteView bytes) {
  EVP_PKEY* key = nullptr;
  OSSL_DECODER_CTX* decoder = OSSL_DECODER_CTX_new_for_pkey(&key, nullptr, nullptr, nullptr,
                                                            EVP_PKEY_KEYPAIR, nullptr, nullptr);
  const unsigned char* at = bytes.data();
  std::size_t size = bytes.size();
  // An empty pass phrase, so that an encrypted key fails rather than asks on the terminal.
  const unsigned char none = 0;
  const bool ok = decoder != nullptr && OSSL_DECODER_CTX_set_passphrase(decoder, &none, 0) == 1 &&
                  OSSL_DECODER_from_data(decoder, &at, &size) == 1;
  OSSL_DECODER_CTX_free(decoder);
  ERR_clear_error();
  PKey owned(key);
  if (!ok || !owned) return Error(Code::kInvalidArgument, "private key: malformed");
  return owned;
}

Result<ByteArray<kKeySize>> EncodeKey(EVP_PKEY* key) {
  if (!IsP384(key)) return Error(Code::kInvalidArgument, "key is not P-384");
  ByteArray<kKeySize> blob{};
  StoreLe(blob, 0, kCurveP384);
  const char* const names[] = {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y};
  for (std::size_t i = 0; i < 2; ++i) {
    BIGNUM* number = nullptr;
    const bool ok = EVP_PKEY_get_bn_param(key, names[i], &number) == 1 &&
                    BN_bn2lebinpad(number, blob.data() + 4 + i * kScalarSize, kScalarSize) > 0;
    BN_free(number);
    if (!ok) return Error(Code::kInternal, "key: no public point");
  }
  return blob;
}

ByteArray<48> KeyDigest(const ByteArray<kKeySize>& key) {
  ByteArray<48> digest{};
  EVP_Digest(key.data(), key.size(), digest.data(), nullptr, EVP_sha384(), nullptr);
  return digest;
}

Result<IdAuth> SignIdBlock(const IdBlock& block, EVP_PKEY* id_key, EVP_PKEY* author_key) {
  IdAuth auth;
  auth.id_key = TRY_CONTEXT(EncodeKey(id_key), "id key");
  auth.id_block_signature = TRY_CONTEXT(SignP384(id_key, EncodeIdBlock(block)), "id key");
  if (author_key != nullptr) {
    auth.author_key_algorithm = kAlgorithmP384;
    auth.author_key = TRY_CONTEXT(EncodeKey(author_key), "author key");
    auth.id_key_signature = TRY_CONTEXT(SignP384(author_key, auth.id_key), "author key");
  }
  return auth;
}

std::vector<std::string> VerifyIdBlock(ByteView id_block, ByteView id_auth) {
  const Result<IdBlock> block = ParseIdBlock(id_block);
  const Result<IdAuth> auth = ParseIdAuth(id_auth);
  if (!block || !auth) return {"size"};
  std::vector<std::string> failed;
  const auto require = [&](bool holds, const char* name) {
    if (!holds) failed.emplace_back(name);
  };
  require(block->version == 1, "id_block_version");
  require(auth->id_key_algorithm == kAlgorithmP384, "id_key_algo");
  if (Curve(auth->id_key) != kCurveP384) {
    require(false, "id_key_curve");
    return failed;
  }
  require(ReservedBytesAreZero(id_auth), "reserved_nonzero");
  require(VerifySignature(auth->id_key, auth->id_block_signature, id_block), "id_block_sig");
  if (auth->author_key_algorithm == kAlgorithmP384) {
    if (Curve(auth->author_key) != kCurveP384) {
      require(false, "author_key_curve");
    } else {
      require(VerifySignature(auth->author_key, auth->id_key_signature, auth->id_key),
              "id_key_sig");
    }
  } else {
    require(auth->author_key_algorithm == 0 && IsZero(auth->author_key) &&
                IsZero(auth->id_key_signature),
            "author_key_algo");
  }
  return failed;
}

}  // namespace kata_cc::snp
