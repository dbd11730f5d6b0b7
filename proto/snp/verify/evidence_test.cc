// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "proto/snp/verify/report_json.h"

namespace kata_cc::snp {
namespace {

Report Sample() {
  Report report;
  report.version = 3;
  report.cpuid = CpuId{0x19, 1, 1};
  report.signature_r.fill(200);
  return report;
}

TEST(EvidenceTest, ReportAndCertificatesRoundTrip) {
  const std::vector<CertTableEntry> certs = {{*CertTypeGuid("VCEK"), Bytes{1, 2, 255}}};
  const Result<Evidence> evidence = EvidenceFromJson(EvidenceToJson(Sample(), certs).dump());
  ASSERT_TRUE(evidence) << evidence.error().message();
  EXPECT_EQ(evidence->report, EncodeReport(Sample()));
  ASSERT_EQ(evidence->certs.size(), 1U);
  EXPECT_EQ(evidence->certs[0].data, (Bytes{1, 2, 255}));
  EXPECT_TRUE(EvidenceFromJson(EvidenceToJson(Sample(), {}).dump())->certs.empty());
}

TEST(EvidenceTest, AnyFieldThatDoesNotFitIsRefused) {
  const nlohmann::json good = EvidenceToJson(Sample(), {});
  for (const auto& [key, value] : good["attestation_report"].items()) {
    if (value.is_null()) continue;
    for (const nlohmann::json& bad :
         {nlohmann::json("text"), nlohmann::json(-1), nlohmann::json(1.5),
          nlohmann::json::array({1}), nlohmann::json(true)}) {
      nlohmann::json changed = good;
      changed["attestation_report"][key] = bad;
      EXPECT_FALSE(EvidenceFromJson(changed.dump())) << key << " " << bad;
    }
  }
  nlohmann::json changed = good;
  changed["attestation_report"]["report_data"][5] = 256;
  EXPECT_FALSE(EvidenceFromJson(changed.dump()));
}

TEST(EvidenceTest, EveryTruncationAndDeepNestingAreRefused) {
  const std::string text = EvidenceToJson(Sample(), {}).dump();
  for (std::size_t size = 0; size < text.size(); size += 7) {
    EXPECT_FALSE(EvidenceFromJson(text.substr(0, size))) << size;
  }
  EXPECT_FALSE(EvidenceFromJson(std::string(200000, '[')));
  EXPECT_FALSE(EvidenceFromJson(std::string(100000, '[') + std::string(100000, ']')));
  EXPECT_FALSE(EvidenceFromJson(std::string(kMaxEvidenceSize + 1, ' ')));
}

}  // namespace
}  // namespace kata_cc::snp
