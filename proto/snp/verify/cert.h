// SPDX-License-Identifier: Apache-2.0
// Certificates and revocation lists as AMD's key distribution service gives them, and the checks
// on them. OpenSSL parses; the rules are here, because OpenSSL's chain check takes signatures and
// keys that AMD never uses. Immutable after loading; any thread.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/report.h"

namespace kata_cc::snp {

struct OpensslFree {
  void operator()(X509* x509) const { X509_free(x509); }
  void operator()(X509_CRL* crl) const { X509_CRL_free(crl); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using PKey = std::unique_ptr<EVP_PKEY, OpensslFree>;

// The extensions under AMD's 1.3.6.1.4.1.3704.1 (VCEK and VLEK certificate specification).
struct CertExtensions {
  std::optional<std::int64_t> struct_version, bootloader, tee, snp, spl4, spl5, spl6, spl7,
      microcode, fmc;
  std::optional<std::string> product, csp_id;
  std::optional<Bytes> hwid;  // Of a VCEK; eight bytes for Turin.
};

class Cert {
 public:
  // One certificate, PEM or DER, and nothing after it.
  static Result<Cert> Load(ByteView bytes);

  Bytes Der() const;
  std::string common_name() const;  // Empty when there is none.
  std::string issuer_common_name() const;
  bool is_ca() const;
  bool ValidAt(std::time_t time) const;

  // RSASSA-PSS with SHA-384, MGF1-SHA-384 and 48 bytes of salt, and issuer's subject as issuer.
  bool SignedBy(const Cert& issuer) const;

  // kInvalidArgument when one of AMD's extensions is malformed or there twice.
  Result<CertExtensions> Extensions() const;

  EVP_PKEY* public_key() const;  // Borrowed; null when it is of an unknown kind.
  const X509* x509() const { return x509_.get(); }

 private:
  explicit Cert(X509* x509) : x509_(x509) {}
  std::unique_ptr<X509, OpensslFree> x509_;
};

class Crl {
 public:
  static Result<Crl> Load(ByteView bytes);  // PEM or DER.

  bool SignedBy(const Cert& issuer) const;  // As Cert's.
  bool ValidAt(std::time_t time) const;     // False without a time for the next update.
  bool Revokes(const Cert& cert) const;     // By serial; never one of serial 0, as VCEKs have.

 private:
  explicit Crl(X509_CRL* crl) : crl_(crl) {}
  std::unique_ptr<X509_CRL, OpensslFree> crl_;
};

// ECDSA P-384 with SHA-384; r and s as reports hold them, little endian and zero-padded.
bool VerifyP384(EVP_PKEY* key, ByteView r, ByteView s, ByteView message);

// The inverse, into the first 144 bytes of a report's or ID block's signature.
Result<ByteArray<kSignatureSize>> SignP384(EVP_PKEY* key, ByteView message);

bool IsP384(EVP_PKEY* key);

}  // namespace kata_cc::snp
