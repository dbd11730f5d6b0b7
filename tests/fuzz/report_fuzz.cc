// SPDX-License-Identifier: Apache-2.0
// Attestation reports, certificate tables, ID blocks and evidence: what a host or a guest hands in.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "proto/snp/cert_table.h"
#include "proto/snp/id_block.h"
#include "proto/snp/report.h"
#include "proto/snp/verify/id_auth.h"
#include "proto/snp/verify/report_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kata_cc;
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto report = snp::ParseReport(bytes);
      if (!report) return 0;
      (void)snp::ReportToJson(*report).dump();
      // Encoding is the inverse, but for reserved bytes, which come back as zero.
      const auto encoded = snp::EncodeReport(*report);
      const auto again = snp::ParseReport(encoded);
      if (!again || snp::EncodeReport(*again) != encoded) __builtin_trap();
      return 0;
    }
    case 1: {
      const auto entries = snp::ParseCertTable(bytes);
      if (!entries) return 0;
      const auto again = snp::ParseCertTable(snp::EncodeCertTable(*entries));
      if (!again || again->size() != entries->size()) __builtin_trap();
      return 0;
    }
    case 2: {
      const std::size_t block = std::min(bytes.size(), snp::kIdBlockSize);
      // Without a private key nobody makes a block that holds.
      if (snp::VerifyIdBlock(bytes.first(block), bytes.subspan(block)).empty()) __builtin_trap();
      return 0;
    }
    default:
      (void)snp::EvidenceFromJson(AsString(bytes));
      return 0;
  }
}
