// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/cert.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>

namespace kata_cc::snp {
namespace {

constexpr std::size_t kMaxCertSize = std::size_t{64} << 10;
constexpr std::size_t kMaxCrlSize = std::size_t{4} << 20;

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(unsigned char* bytes) const { OPENSSL_free(bytes); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Error Bad(const std::string& why) {
  return {Code::kInvalidArgument, why};
}

// Nothing reads OpenSSL's error queue, and input from outside must not make it grow.
struct ClearErrors {
  ~ClearErrors() { ERR_clear_error(); }
};

bool IsPem(ByteView bytes) {
  const std::string_view begin = "-----BEGIN";
  const auto space = [](std::uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  const auto first = std::find_if_not(bytes.begin(), bytes.end(), space);
  return bytes.end() - first >= static_cast<std::ptrdiff_t>(begin.size()) &&
         std::equal(begin.begin(), begin.end(), first);
}

// Loads one object with OpenSSL's readers for PEM and DER.
template <typename T>
T* LoadOne(ByteView bytes, T* (*read_pem)(BIO*, T**, pem_password_cb*, void*),
           T* (*read_der)(T**, const unsigned char**, long)) {
  const ClearErrors clear;
  if (IsPem(bytes)) {
    const Owned<BIO> bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
    // No password: an encrypted object must not ask on the terminal.
    const auto no_password = [](char*, int, int, void*) { return 0; };
    return bio ? read_pem(bio.get(), nullptr, no_password, nullptr) : nullptr;
  }
  const unsigned char* at = bytes.data();
  T* object = read_der(nullptr, &at, static_cast<long>(bytes.size()));
  if (object != nullptr && at != bytes.data() + bytes.size()) {
    OpensslFree()(object);
    return nullptr;
  }
  return object;
}

std::optional<std::time_t> ToTime(const ASN1_TIME* time) {
  struct tm parts {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return timegm(&parts);
}

std::string CommonName(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return "";
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  const Owned<unsigned char> owner(text);
  return size < 0 ? "" : std::string(text, text + size);
}

// OpenSSL's own comparison folds case and spaces.
bool SameName(const X509_NAME* a, const X509_NAME* b) {
  const unsigned char* a_der = nullptr;
  const unsigned char* b_der = nullptr;
  std::size_t a_size = 0;
  std::size_t b_size = 0;
  return X509_NAME_get0_der(a, &a_der, &a_size) == 1 &&
         X509_NAME_get0_der(b, &b_der, &b_size) == 1 && a_size == b_size &&
         std::memcmp(a_der, b_der, a_size) == 0;
}

// RSASSA-PSS, SHA-384, salt of 48 bytes; an X.509 or CRL body and its signature.
bool VerifyPss(EVP_PKEY* key, const X509_ALGOR* algorithm, const ASN1_BIT_STRING* signature,
               ByteView body) {
  const ASN1_OBJECT* oid = nullptr;
  X509_ALGOR_get0(&oid, nullptr, nullptr, algorithm);
  if (OBJ_obj2nid(oid) != NID_rsassaPss) return false;
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) return false;
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;  // Owned by context.
  return context &&
         EVP_DigestVerifyInit(context.get(), &parameters, EVP_sha384(), nullptr, key) == 1 &&
         EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha384()) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 48) == 1 &&
         EVP_DigestVerify(context.get(), ASN1_STRING_get0_data(signature),
                          static_cast<std::size_t>(ASN1_STRING_length(signature)), body.data(),
                          body.size()) == 1;
}

constexpr char kAmdPrefix[] = "1.3.6.1.4.1.3704.1.";

Result<std::int64_t> DerInteger(ByteView value) {
  if (value.size() < 3 || value.size() > 10 || value[0] != 2 || value[1] != value.size() - 2) {
    return Bad("certificate extension: not an INTEGER");
  }
  std::int64_t number = (value[2] & 0x80) != 0 ? -1 : 0;
  for (const std::uint8_t byte : value.subspan(2))
    number = number * 256 + byte;
  return number;
}

Result<ByteView> DerString(ByteView value, std::uint8_t tag) {
  if (value.size() < 2 || value[0] != tag || value[1] >= 0x80 || value[1] != value.size() - 2) {
    return Bad("certificate extension: malformed string");
  }
  return value.subspan(2);
}

Result<std::string> DerText(ByteView value) {
  const ByteView text = TRY(DerString(value, 0x16));
  if (std::any_of(text.begin(), text.end(), [](std::uint8_t c) { return c < 0x20 || c > 0x7e; })) {
    return Bad("certificate extension: text has other than printable characters");
  }
  return AsString(text);
}

// Three forms are about: eight (Turin) or 64 bytes as they are, and an OCTET STRING.
Result<Bytes> HardwareId(ByteView value) {
  if (value.size() != 8 && value.size() != 64) value = TRY(DerString(value, 4));
  return Bytes(value.begin(), value.end());
}

}  // namespace

Result<Cert> Cert::Load(ByteView bytes) {
  if (bytes.size() > kMaxCertSize) return Bad("certificate: too large");
  X509* x509 = LoadOne<X509>(bytes, PEM_read_bio_X509, d2i_X509);
  if (x509 == nullptr) return Bad("certificate: malformed");
  return Cert(x509);
}

Bytes Cert::Der() const {
  unsigned char* der = nullptr;
  const int size = i2d_X509(x509_.get(), &der);
  const Owned<unsigned char> owner(der);
  return size < 0 ? Bytes() : Bytes(der, der + size);
}

std::string Cert::common_name() const {
  return CommonName(X509_get_subject_name(x509_.get()));
}
std::string Cert::issuer_common_name() const {
  return CommonName(X509_get_issuer_name(x509_.get()));
}

bool Cert::is_ca() const {
  const ClearErrors clear;
  int critical = 0;
  auto* constraints = static_cast<BASIC_CONSTRAINTS*>(
      X509_get_ext_d2i(x509_.get(), NID_basic_constraints, &critical, nullptr));
  if (constraints == nullptr) return false;  // None, malformed, or there twice.
  const bool ca = constraints->ca != 0;
  BASIC_CONSTRAINTS_free(constraints);
  return ca;
}

bool Cert::ValidAt(std::time_t time) const {
  const std::optional<std::time_t> from = ToTime(X509_get0_notBefore(x509_.get()));
  const std::optional<std::time_t> to = ToTime(X509_get0_notAfter(x509_.get()));
  return from && to && *from <= time && time <= *to;
}

bool Cert::SignedBy(const Cert& issuer) const {
  const ClearErrors clear;
  const ASN1_BIT_STRING* signature = nullptr;
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(&signature, &algorithm, x509_.get());
  if (X509_ALGOR_cmp(algorithm, X509_get0_tbs_sigalg(x509_.get())) != 0) return false;
  if (!SameName(X509_get_issuer_name(x509_.get()), X509_get_subject_name(issuer.x509_.get()))) {
    return false;
  }
  unsigned char* body = nullptr;
  const int size = i2d_re_X509_tbs(x509_.get(), &body);  // As it came, not encoded anew.
  const Owned<unsigned char> owner(body);
  return size > 0 && VerifyPss(issuer.public_key(), algorithm, signature,
                               {body, static_cast<std::size_t>(size)});
}

Result<CertExtensions> Cert::Extensions() const {
  CertExtensions out;
  std::vector<std::string> seen;
  for (int i = 0; i < X509_get_ext_count(x509_.get()); ++i) {
    X509_EXTENSION* extension = X509_get_ext(x509_.get(), i);
    char text[80];
    OBJ_obj2txt(text, sizeof text, X509_EXTENSION_get_object(extension), 1);
    const std::string oid = text;
    if (std::find(seen.begin(), seen.end(), oid) != seen.end()) {
      return Bad("certificate extension: " + oid + ": there twice");
    }
    seen.push_back(oid);
    if (!oid.starts_with(kAmdPrefix)) continue;
    const std::string name = oid.substr(sizeof kAmdPrefix - 1);
    const ASN1_OCTET_STRING* octets = X509_EXTENSION_get_data(extension);
    const ByteView value(ASN1_STRING_get0_data(octets),
                         static_cast<std::size_t>(ASN1_STRING_length(octets)));
    if (name == "1") out.struct_version = TRY(DerInteger(value));
    if (name == "2") out.product = TRY(DerText(value));
    if (name == "3.1") out.bootloader = TRY(DerInteger(value));
    if (name == "3.2") out.tee = TRY(DerInteger(value));
    if (name == "3.3") out.snp = TRY(DerInteger(value));
    if (name == "3.4") out.spl4 = TRY(DerInteger(value));
    if (name == "3.5") out.spl5 = TRY(DerInteger(value));
    if (name == "3.6") out.spl6 = TRY(DerInteger(value));
    if (name == "3.7") out.spl7 = TRY(DerInteger(value));
    if (name == "3.8") out.microcode = TRY(DerInteger(value));
    if (name == "3.9") out.fmc = TRY(DerInteger(value));
    if (name == "4") out.hwid = TRY(HardwareId(value));
    if (name == "5") out.csp_id = TRY(DerText(value));
  }
  return out;
}

EVP_PKEY* Cert::public_key() const {
  return X509_get0_pubkey(x509_.get());
}

Result<Crl> Crl::Load(ByteView bytes) {
  if (bytes.size() > kMaxCrlSize) return Bad("revocation list: too large");
  X509_CRL* crl = LoadOne<X509_CRL>(bytes, PEM_read_bio_X509_CRL, d2i_X509_CRL);
  if (crl == nullptr) return Bad("revocation list: malformed");
  return Crl(crl);
}

bool Crl::SignedBy(const Cert& issuer) const {
  const ClearErrors clear;
  const ASN1_BIT_STRING* signature = nullptr;
  const X509_ALGOR* algorithm = nullptr;
  X509_CRL_get0_signature(crl_.get(), &signature, &algorithm);
  if (!SameName(X509_CRL_get_issuer(crl_.get()), X509_get_subject_name(issuer.x509()))) {
    return false;
  }
  unsigned char* body = nullptr;
  const int size = i2d_re_X509_CRL_tbs(crl_.get(), &body);
  const Owned<unsigned char> owner(body);
  return size > 0 && VerifyPss(issuer.public_key(), algorithm, signature,
                               {body, static_cast<std::size_t>(size)});
}

bool Crl::ValidAt(std::time_t time) const {
  const std::optional<std::time_t> from = ToTime(X509_CRL_get0_lastUpdate(crl_.get()));
  const std::optional<std::time_t> to = ToTime(X509_CRL_get0_nextUpdate(crl_.get()));
  return from && to && *from <= time && time <= *to;
}

bool Crl::Revokes(const Cert& cert) const {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(cert.x509());
  const Owned<BIGNUM> number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (number && BN_is_zero(number.get())) return false;
  X509_REVOKED* entry = nullptr;
  return X509_CRL_get0_by_serial(crl_.get(), &entry, serial) != 0;
}

bool IsP384(EVP_PKEY* key) {
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return false;
  char name[64] = {};
  char encoding[32] = {};
  return EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name,
                                        nullptr) == 1 &&
         EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof encoding,
                                        nullptr) == 1 &&
         std::strcmp(name, "secp384r1") == 0 &&
         std::strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) == 0;
}

bool VerifyP384(EVP_PKEY* key, ByteView r, ByteView s, ByteView message) {
  const ClearErrors clear;
  if (!IsP384(key)) return false;
  Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  Owned<BIGNUM> r_number(BN_lebin2bn(r.data(), static_cast<int>(r.size()), nullptr));
  Owned<BIGNUM> s_number(BN_lebin2bn(s.data(), static_cast<int>(s.size()), nullptr));
  if (!signature || !r_number || !s_number) return false;
  if (ECDSA_SIG_set0(signature.get(), r_number.get(), s_number.get()) != 1) return false;
  (void)r_number.release();  // Now the signature's.
  (void)s_number.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  const Owned<unsigned char> owner(der);
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  // OpenSSL refuses r and s of zero, or of the group's order and more.
  return size > 0 && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha384(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), der, static_cast<std::size_t>(size), message.data(),
                          message.size()) == 1;
}

Result<ByteArray<kSignatureSize>> SignP384(EVP_PKEY* key, ByteView message) {
  const ClearErrors clear;
  if (!IsP384(key)) return Bad("key is not P-384");
  const Error failed(Code::kInternal, "ECDSA: signing failed");
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha384(), nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()) != 1) {
    return failed;
  }
  Bytes der(size);
  if (EVP_DigestSign(context.get(), der.data(), &size, message.data(), message.size()) != 1) {
    return failed;
  }
  const unsigned char* at = der.data();
  const Owned<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  ByteArray<kSignatureSize> out{};
  constexpr int kScalar = kScalarSize;
  if (!signature || BN_bn2lebinpad(ECDSA_SIG_get0_r(signature.get()), out.data(), kScalar) < 0 ||
      BN_bn2lebinpad(ECDSA_SIG_get0_s(signature.get()), out.data() + kScalar, kScalar) < 0) {
    return failed;
  }
  return out;
}

}  // namespace kata_cc::snp
