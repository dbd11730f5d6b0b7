// SPDX-License-Identifier: Apache-2.0
// Real, mutated and simulated reports, certificates, evidence and ID blocks with their verdicts.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "base/testing/vectors.h"
#include "proto/snp/verify/id_auth.h"
#include "proto/snp/verify/report_json.h"
#include "proto/snp/verify/verify.h"

namespace kata_cc::snp {
namespace {

using nlohmann::json;
using Names = std::set<std::string>;

std::time_t ParseTime(const std::string& text) {
  struct tm parts {};
  EXPECT_NE(strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts), nullptr);
  return timegm(&parts);
}

Names ToSet(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

void ApplyPatch(Bytes& bytes, const json& edits) {
  for (const json& edit : edits) {
    if (edit["op"] == "resize") {
      bytes.resize(edit["size"]);
      continue;
    }
    const bool exclusive_or = edit["op"] == "xor";
    const Bytes value = *HexDecode(edit[exclusive_or ? "value" : "hex"].get<std::string>());
    const std::size_t offset = edit["offset"];
    for (std::size_t i = 0; i < value.size(); ++i) {
      bytes[offset + i] = exclusive_or ? bytes[offset + i] ^ value[i] : value[i];
    }
  }
}

class SnpVectorsTest : public kata_cc::testing::VectorsTest {
 protected:
  static json ReadJson(const std::string& name) { return json::parse(Read(name)); }
  static Cert LoadCert(const std::string& name) { return *Cert::Load(Read(name)); }

  static Bytes ReadReport(const json& vector) {
    Bytes bytes = Read(vector["report"]);
    if (vector.contains("patch")) ApplyPatch(bytes, vector["patch"]);
    return bytes;
  }

  static Verdict Judge(const json& vector, ByteView report) {
    std::vector<Cert> trusted;
    for (const json& name : vector["trusted_arks"])
      trusted.push_back(LoadCert(name));
    std::optional<Crl> crl;
    if (vector.contains("crl") && !vector["crl"].is_null()) crl = *Crl::Load(Read(vector["crl"]));
    const Cert vek = LoadCert(vector["vek"]);
    const Cert ask = LoadCert(vector["ask"]);
    const Cert ark = LoadCert(vector["ark"]);
    return VerifyReport({.report = report,
                         .vek = vek,
                         .ask = ask,
                         .ark = ark,
                         .trusted_arks = trusted,
                         .crl = crl ? &*crl : nullptr,
                         .time = ParseTime(vector["verify_time"])});
  }
};

TEST_F(SnpVectorsTest, EveryReportGetsItsVerdict) {
  const json vectors = ReadJson("reports.json");
  EXPECT_EQ(vectors["cases"].size(), 205U);
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const Verdict verdict = Judge(vector, ReadReport(vector));
    EXPECT_EQ(ToSet(verdict.failed_checks), vector["failed_checks"].get<Names>());
    EXPECT_EQ(verdict.valid(), vector["verdict"] == "valid");
    if (vector.contains("parsed")) {
      ASSERT_TRUE(verdict.report);
      EXPECT_EQ(ReportToJson(*verdict.report), vector["parsed"]);
    }
  }
}

TEST_F(SnpVectorsTest, EncodingGivesTheBytesOfEveryReport) {
  const json vectors = ReadJson("reports.json");
  for (const json& vector : vectors["cases"]) {
    if (vector.contains("patch")) continue;
    const Bytes bytes = Read(vector["report"]);
    const ByteArray<kReportSize> encoded = EncodeReport(*ParseReport(bytes));
    const bool junk = vector["failed_checks"].get<Names>().contains("sig_reserved_nonzero");
    EXPECT_EQ(std::equal(bytes.begin(), bytes.end(), encoded.begin()), !junk) << vector["id"];
  }
}

// In parts, which ctest can run side by side: 9,472 verifications on P-384 take their time.
constexpr std::size_t kBitParts = 8;
class SnpBitsTest : public SnpVectorsTest, public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Part, SnpBitsTest, ::testing::Range<std::size_t>(0, kBitParts));

TEST_P(SnpBitsTest, EverySingleBitOfARealReportCounts) {
  const json vectors = ReadJson("reports.json");
  json real;
  for (const json& vector : vectors["cases"]) {
    if (vector["id"] == "turin-v5-tav") real = vector;
  }
  Bytes report = ReadReport(real);
  ASSERT_EQ(report.size() * 8, 9472U);
  ASSERT_TRUE(Judge(real, report).valid());
  // No bit of the report changes what is said of the chain, which is valid.
  const Cert vek = LoadCert(real["vek"]);
  for (std::size_t bit = GetParam(); bit < report.size() * 8; bit += kBitParts) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    report[bit / 8] ^= mask;
    const Verdict verdict = VerifyReportByKey(report, vek);
    report[bit / 8] ^= mask;
    EXPECT_FALSE(verdict.valid()) << bit;
    EXPECT_EQ(bit / 8 >= kSignedSize + 2 * kScalarSize,
              ToSet(verdict.failed_checks) == Names{"sig_reserved_nonzero"})
        << bit;
  }
}

// The rest of the report is as it was signed, so that the signature alone is at fault.
TEST_F(SnpVectorsTest, ASignatureWithANumberOutOfItsRangeIsRefused) {
  const json vectors = ReadJson("reports.json");
  json real;
  for (const json& vector : vectors["cases"]) {
    if (vector["id"] == "turin-v5-tav") real = vector;
  }
  const Bytes report = ReadReport(real);
  const Cert vek = LoadCert(real["vek"]);
  ASSERT_TRUE(VerifyReportByKey(report, vek).valid());
  // The order of P-384's group, and what is beside it, little endian.
  Bytes order = *HexDecode(
      "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc5"
      "2973");
  std::reverse(order.begin(), order.end());
  order.resize(kScalarSize);
  Bytes more = order;
  ++more[0];
  Bytes less = order;
  --less[0];
  Bytes one(kScalarSize);
  one[0] = 1;
  for (const std::size_t offset : {kSignedSize, kSignedSize + kScalarSize}) {
    for (const Bytes& number :
         {Bytes(kScalarSize), one, less, order, more, Bytes(kScalarSize, 0xff)}) {
      Bytes changed = report;
      std::copy(number.begin(), number.end(),
                changed.begin() + static_cast<std::ptrdiff_t>(offset));
      EXPECT_EQ(VerifyReportByKey(changed, vek).failed_checks,
                std::vector<std::string>{"report_sig"});
    }
    // The same number but for a multiple of the order, where 72 bytes have room for it.
    Bytes sum = report;
    unsigned carry = 0;
    for (std::size_t i = 0; i < kScalarSize; ++i) {
      carry += unsigned{sum[offset + i]} + order[i];
      sum[offset + i] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    EXPECT_EQ(VerifyReportByKey(sum, vek).failed_checks, std::vector<std::string>{"report_sig"});
  }
}

TEST_F(SnpVectorsTest, EveryExtensionOfTheCertificatesIsRead) {
  const json vectors = ReadJson("reports.json");
  EXPECT_EQ(vectors["certs"].size(), 20U);
  for (const json& vector : vectors["certs"]) {
    SCOPED_TRACE(vector["file"].get<std::string>());
    const Cert cert = LoadCert(vector["file"]);
    const Result<CertExtensions> extensions = cert.Extensions();
    ASSERT_TRUE(extensions);
    EXPECT_EQ(ExtensionsToJson(*extensions), vector["extensions"]);
    EXPECT_EQ(cert.common_name(), vector["subject_cn"]);
    EXPECT_EQ(cert.issuer_common_name(), vector["issuer_cn"]);
    EXPECT_EQ(cert.is_ca(), vector["is_ca"]);
    if (!vector["verified_issuer"].is_null()) {
      EXPECT_TRUE(cert.SignedBy(LoadCert(vector["verified_issuer"])));
    }
  }
}

TEST_F(SnpVectorsTest, EvidenceJsonIsTheReport) {
  const json vectors = ReadJson("evidence.json");
  for (const json& vector : vectors["evidence"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const Bytes text = Read(vector["evidence"]);
    const Bytes report = Read(vector["report"]);
    const Result<Evidence> evidence = EvidenceFromJson(AsString(text));
    ASSERT_TRUE(evidence) << evidence.error().message();
    EXPECT_TRUE(std::equal(report.begin(), report.end(), evidence->report.begin()));
    ASSERT_EQ(evidence->certs.size(), 1U);
    EXPECT_EQ(CertTypeName(evidence->certs[0].guid), vector["cert_type"]);
    EXPECT_EQ(evidence->certs[0].data, Read(vector["cert"]));
    EXPECT_EQ(EvidenceToJson(*ParseReport(report), evidence->certs), json::parse(text));
  }
}

TEST_F(SnpVectorsTest, EveryCertificateTableIsReadOrRefused) {
  const json vectors = ReadJson("evidence.json");
  for (const json& vector : vectors["certtables"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const Result<std::vector<CertTableEntry>> entries = ParseCertTable(Read(vector["file"]));
    ASSERT_EQ(entries.has_value(), vector["ok"].get<bool>());
    if (!entries) continue;
    ASSERT_EQ(entries->size(), vector["entries"].size());
    for (std::size_t i = 0; i < entries->size(); ++i) {
      const json& want = vector["entries"][i];
      const CertTableEntry& entry = (*entries)[i];
      EXPECT_EQ(entry.guid, *CertTypeGuid(want["guid"].get<std::string>()));
      EXPECT_EQ(entry.data.size(), want["length"]);
      ByteArray<32> digest;
      EVP_Digest(entry.data.data(), entry.data.size(), digest.data(), nullptr, EVP_sha256(),
                 nullptr);
      EXPECT_EQ(HexEncode(digest), want["sha256"]);
    }
  }
}

TEST_F(SnpVectorsTest, EveryIdBlockGetsItsVerdict) {
  const json vectors = ReadJson("id-block.json");
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const Result<PKey> id_key = LoadPrivateKey(Read(vector["id_key"]));
    ASSERT_TRUE(id_key);
    if (vector["failed_checks"] == json::array({"key_type"})) {
      EXPECT_EQ(EncodeKey(id_key->get()).error().message(), vector["error"]);
      continue;
    }
    const Bytes block = *Base64Decode(vector["id_block_b64"].get<std::string>());
    const Bytes auth = *Base64Decode(vector["id_auth_b64"].get<std::string>());
    EXPECT_EQ(ToSet(VerifyIdBlock(block, auth)), vector["failed_checks"].get<Names>());
    EXPECT_EQ(HexEncode(KeyDigest(*EncodeKey(id_key->get()))), vector["id_key_digest"]);
    PKey author_key;
    if (!vector["author_key"].is_null()) {
      author_key = *LoadPrivateKey(Read(vector["author_key"]));
      EXPECT_EQ(HexEncode(KeyDigest(*EncodeKey(author_key.get()))), vector["author_key_digest"]);
    }
    if (vector["verdict"] != "valid") continue;
    // What we sign from the same inputs has the same bytes, but for the signatures.
    const IdBlock parsed = *ParseIdBlock(block);
    const json& inputs = vector["inputs"];
    EXPECT_EQ(HexEncode(parsed.launch_digest), inputs["launch_digest"]);
    EXPECT_EQ(parsed.guest_svn, inputs["guest_svn"]);
    EXPECT_EQ(parsed.policy.bits, inputs["policy"]);
    const IdAuth ours = *SignIdBlock(parsed, id_key->get(), author_key.get());
    const IdAuth theirs = *ParseIdAuth(auth);
    EXPECT_EQ(ours.id_key, theirs.id_key);
    EXPECT_EQ(ours.author_key, theirs.author_key);
    EXPECT_TRUE(VerifyIdBlock(EncodeIdBlock(parsed), EncodeIdAuth(ours)).empty());
  }
}

TEST_F(SnpVectorsTest, HostDataAndReportDataAreTheDigestsTheyClaim) {
  const json vectors = ReadJson("host-data.json");
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const Report report = *ParseReport(Read(vector["report"]));
    const bool policy = vector.contains("policy_base64");
    const Bytes document =
        *Base64Decode(vector[policy ? "policy_base64" : "variable_data_b64"].get<std::string>());
    ByteArray<64> digest{};
    EVP_Digest(document.data(), document.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    if (policy) {
      EXPECT_EQ(HexEncode(report.host_data), vector["host_data"]);
      EXPECT_EQ(HexEncode(ByteView(digest).first(32)), vector["host_data"]);
    } else {
      EXPECT_EQ(report.report_data, digest);
      EXPECT_EQ(HexEncode(digest), vector["report_data"]);
    }
  }
}

}  // namespace
}  // namespace kata_cc::snp
