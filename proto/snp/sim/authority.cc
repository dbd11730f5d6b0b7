// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/sim/authority.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <utility>

#include "base/file.h"
#include "proto/snp/verify/id_auth.h"

namespace kata_cc::snp::sim {
namespace {

constexpr std::size_t kMaxFile = std::size_t{64} << 10;
constexpr const char* kOrganisation = "kata-cc SEV-SNP simulator (not AMD)";
// The firmware that the simulated chip has; its certificate and its reports say the same.
constexpr std::uint8_t kBootloader = 4, kTee = 0, kSnp = 24, kMicrocode = 219;
constexpr std::array<std::uint8_t, 3> kFamilyModelStepping = {0x19, 0x01, 0x01};  // Milan-B0

Error OpensslError(const char* what) {
  ERR_clear_error();
  return {Code::kInternal, std::string("simulator: ") + what};
}

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, Free<ASN1_OCTET_STRING_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Free<ASN1_OBJECT_free>>;
using ContextPtr = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;

bool SetName(X509_NAME* name, const std::string& common_name) {
  const auto add = [&](const char* field, const std::string& text) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC,
                                      reinterpret_cast<const unsigned char*>(text.c_str()), -1, -1,
                                      0) == 1;
  };
  return add("O", kOrganisation) && add("CN", common_name);
}

// value: the extension's DER.
bool AddRaw(X509* cert, const std::string& oid, const Bytes& value) {
  const ObjectPtr object(OBJ_txt2obj(oid.c_str(), 1));
  const OctetsPtr octets(ASN1_OCTET_STRING_new());
  if (object == nullptr || octets == nullptr ||
      ASN1_OCTET_STRING_set(octets.get(), value.data(), static_cast<int>(value.size())) != 1) {
    return false;
  }
  const ExtensionPtr extension(
      X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 0, octets.get()));
  return extension != nullptr && X509_add_ext(cert, extension.get(), -1) == 1;
}

bool AddAuthority(X509* cert) {
  const ExtensionPtr extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "critical,CA:TRUE"));
  return extension != nullptr && X509_add_ext(cert, extension.get(), -1) == 1;
}

Bytes Integer(std::uint8_t value) {
  return value < 0x80 ? Bytes{2, 1, value} : Bytes{2, 2, 0, value};
}

bool AddChip(X509* cert, const Bytes& hwid) {
  const std::string base = "1.3.6.1.4.1.3704.1.";
  Bytes product = {0x16, 8};  // IA5String
  for (const char c : std::string_view("Milan-B0"))
    product.push_back(static_cast<std::uint8_t>(c));
  return AddRaw(cert, base + "1", Integer(0)) && AddRaw(cert, base + "2", product) &&
         AddRaw(cert, base + "3.1", Integer(kBootloader)) &&
         AddRaw(cert, base + "3.2", Integer(kTee)) && AddRaw(cert, base + "3.3", Integer(kSnp)) &&
         AddRaw(cert, base + "3.8", Integer(kMicrocode)) && AddRaw(cert, base + "4", hwid);
}

// RSASSA-PSS with SHA-384 and 48 bytes of salt, as AMD signs.
bool Sign(X509* cert, EVP_PKEY* key) {
  const ContextPtr context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  return context != nullptr &&
         EVP_DigestSignInit(context.get(), &parameters, EVP_sha384(), nullptr, key) == 1 &&
         EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 48) == 1 &&
         X509_sign_ctx(cert, context.get()) > 0;
}

struct Subject {
  std::string name;
  EVP_PKEY* key;
  long serial;
  bool authority;
  Bytes hwid;  // Of a chip.
};

Result<Cert> Certify(const Subject& subject, const std::string& issuer, EVP_PKEY* issuer_key) {
  constexpr long kYears = 25L * 365 * 24 * 3600;
  const X509Ptr cert(X509_new());
  // Its beginning lies back by a day: guests' clocks differ.
  const bool made = cert != nullptr && X509_set_version(cert.get(), X509_VERSION_3) == 1 &&
                    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), subject.serial) == 1 &&
                    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -86400) != nullptr &&
                    X509_gmtime_adj(X509_getm_notAfter(cert.get()), kYears) != nullptr &&
                    X509_set_pubkey(cert.get(), subject.key) == 1 &&
                    SetName(X509_get_subject_name(cert.get()), subject.name) &&
                    SetName(X509_get_issuer_name(cert.get()), issuer) &&
                    (!subject.authority || AddAuthority(cert.get())) &&
                    (subject.hwid.empty() || AddChip(cert.get(), subject.hwid)) &&
                    Sign(cert.get(), issuer_key);
  if (!made) return OpensslError("cannot make a certificate");
  unsigned char* der = nullptr;
  const int length = i2d_X509(cert.get(), &der);
  if (length <= 0) return OpensslError("cannot encode a certificate");
  const Bytes bytes(der, der + length);
  OPENSSL_free(der);
  return Cert::Load(bytes);
}

Bytes CertPem(const Cert& cert) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), cert.x509());
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return {text, text + length};
}

Result<Bytes> KeyPem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpensslError("cannot write the key");
  }
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return Bytes(text, text + length);
}

constexpr std::array kFiles = {"ark.pem", "ask.pem", "vcek.pem", "vcek.key"};

void RemoveAll(const std::string& dir) {
  for (const char* name : kFiles)
    ::unlink((dir + "/" + name).c_str());
  ::rmdir(dir.c_str());
}

}  // namespace

Result<Authority> Authority::Create(int rsa_bits) {
  const auto bits = static_cast<std::size_t>(rsa_bits);
  const PKey ark_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits));
  const PKey ask_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits));
  PKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"));
  Bytes hwid(64);
  if (!ark_key || !ask_key || !key || RAND_bytes(hwid.data(), 64) != 1) {
    return OpensslError("cannot make keys");
  }
  const std::string ark_name = "ARK-Milan";
  const std::string ask_name = "SEV-Milan";
  Cert ark = TRY(Certify({ark_name, ark_key.get(), 0x10001, true, {}}, ark_name, ark_key.get()));
  Cert ask = TRY(Certify({ask_name, ask_key.get(), 0x10002, true, {}}, ark_name, ark_key.get()));
  Cert vcek = TRY(Certify({"SEV-VCEK", key.get(), 0, false, hwid}, ask_name, ask_key.get()));
  return Authority(std::move(ark), std::move(ask), std::move(vcek), std::move(key));
}

Result<Authority> Authority::Load(const std::string& dir) {
  const Bytes ark_pem = TRY(ReadFile(dir + "/ark.pem", kMaxFile));
  const Bytes ask_pem = TRY(ReadFile(dir + "/ask.pem", kMaxFile));
  const Bytes vcek_pem = TRY(ReadFile(dir + "/vcek.pem", kMaxFile));
  const Bytes key_pem = TRY(ReadFile(dir + "/vcek.key", kMaxFile));
  Cert ark = TRY(Cert::Load(ark_pem));
  Cert ask = TRY(Cert::Load(ask_pem));
  Cert vcek = TRY(Cert::Load(vcek_pem));
  PKey key = TRY(LoadPrivateKey(key_pem));
  if (vcek.public_key() == nullptr || EVP_PKEY_eq(vcek.public_key(), key.get()) != 1) {
    return Error(Code::kInvalidArgument, "vcek.key: not the key of vcek.pem");
  }
  return Authority(std::move(ark), std::move(ask), std::move(vcek), std::move(key));
}

Result<void> Authority::Save(const std::string& dir) const {
  TRY(WriteFile(dir + "/ark.pem", CertPem(ark_)));
  TRY(WriteFile(dir + "/ask.pem", CertPem(ask_)));
  TRY(WriteFile(dir + "/vcek.pem", CertPem(vcek_)));
  const Bytes key = TRY(KeyPem(key_.get()));
  return WriteFile(dir + "/vcek.key", key, 0600);
}

Result<Authority> Authority::LoadOrCreate(const std::string& dir) {
  struct stat info = {};
  if (::stat(dir.c_str(), &info) == 0) return TRY_CONTEXT(Load(dir), "simulator: " + dir);
  // Made beside it, and put there in one step: who loses a race takes the winner's.
  std::string made = dir + ".XXXXXX";
  if (::mkdtemp(made.data()) == nullptr) return ErrnoError(errno, "simulator: mkdtemp " + made);
  const auto fill = [&]() -> Result<void> {
    const Authority authority = TRY(Create());
    TRY(authority.Save(made));
    if (::chmod(made.c_str(), 0755) != 0) return ErrnoError(errno, "simulator: chmod " + made);
    if (::rename(made.c_str(), dir.c_str()) == 0) return {};
    if (errno != ENOTEMPTY && errno != EEXIST) return ErrnoError(errno, "simulator: " + dir);
    return Error(Code::kAlreadyExists, dir);
  };
  const Result<void> filled = fill();
  if (!filled) {
    RemoveAll(made);
    if (filled.error().code() != Code::kAlreadyExists) return filled.error();
  }
  return TRY_CONTEXT(Load(dir), "simulator: " + dir);
}

Result<ByteArray<kReportSize>> Authority::Sign(const Launch& launch,
                                               const ByteArray<64>& report_data) const {
  Report report;
  report.version = 3;
  report.policy.bits = launch.policy;
  report.signature_algorithm = 1;
  report.report_data = report_data;
  report.measurement = launch.measurement;
  report.host_data = launch.host_data;
  report.report_id = launch.report_id;
  report.report_id_ma.fill(0xff);
  report.platform_info.bits = 1;
  report.cpuid = {kFamilyModelStepping[0], kFamilyModelStepping[1], kFamilyModelStepping[2]};
  report.current_version = report.committed_version = {1, 55, 29};
  for (Tcb* tcb :
       {&report.current_tcb, &report.reported_tcb, &report.committed_tcb, &report.launch_tcb}) {
    *tcb = Tcb::Make(TcbLayout::kMilan, 0, kBootloader, kTee, kSnp, kMicrocode);
  }
  const CertExtensions extensions = TRY(vcek_.Extensions());
  if (!extensions.hwid || extensions.hwid->size() != report.chip_id.size()) {
    return Error(Code::kInvalidArgument, "simulator: vcek.pem: no hardware id of 64 bytes");
  }
  std::copy(extensions.hwid->begin(), extensions.hwid->end(), report.chip_id.begin());
  ByteArray<kReportSize> bytes = EncodeReport(report);
  const ByteArray<kSignatureSize> signature =
      TRY(SignP384(key_.get(), ByteView(bytes).first(kSignedSize)));
  std::copy(signature.begin(), signature.end(), bytes.begin() + kSignedSize);
  return bytes;
}

std::vector<CertTableEntry> Authority::Certificates() const {
  return {{*CertTypeGuid("ARK"), ark_.Der()},
          {*CertTypeGuid("ASK"), ask_.Der()},
          {*CertTypeGuid("VCEK"), vcek_.Der()}};
}

}  // namespace kata_cc::snp::sim
