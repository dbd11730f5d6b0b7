// SPDX-License-Identifier: Apache-2.0
// Signed reference values, policy fragments, hash envelopes and receipts with their verdicts.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "base/testing/vectors.h"
#include "proto/cose/verify.h"

namespace kata_cc::cose {
namespace {

using nlohmann::json;
using Names = std::set<std::string>;

class CoseVectorsTest : public kata_cc::testing::VectorsTest {
 protected:
  static Bytes ReadMessage(const json& vector) {
    Bytes bytes = Read(vector["file"]);
    for (const json& edit : vector.value("patch", json::array())) {
      EXPECT_EQ(edit["op"], "xor");
      const Bytes value = *HexDecode(edit["value"].get<std::string>());
      bytes[edit["offset"].get<std::size_t>()] ^= value[0];
    }
    return bytes;
  }

  static std::vector<LedgerKey> LedgerKeys(const json& keys) {
    std::vector<LedgerKey> out;
    for (const json& key : keys) {
      Result<PKey> point =
          LoadPoint(key["crv"].get<std::string>(), *Base64UrlDecode(key["x"].get<std::string>()),
                    *Base64UrlDecode(key["y"].get<std::string>()));
      EXPECT_TRUE(point);
      if (point) out.push_back({key["kid"], *std::move(point)});
    }
    return out;
  }

  template <typename T>
  static json OrNull(const std::optional<T>& value) {
    return value ? json(*value) : json();
  }

  static std::string Sha256(const Bytes& bytes) {
    Bytes digest(32);
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return HexEncode(digest);
  }

  static json ToJson(const std::vector<Receipt>& receipts) {
    json out = json::array();
    for (const Receipt& receipt : receipts) {
      out.push_back({{"alg", receipt.algorithm},
                     {"kid", receipt.kid},
                     {"issuer", receipt.issuer},
                     {"subject", OrNull(receipt.subject)},
                     {"vds", 2},
                     {"data_hash", receipt.data_hash},
                     {"root", receipt.root},
                     {"root_signature_valid", receipt.root_signature_valid},
                     {"data_hash_matches", receipt.data_hash_matches}});
    }
    return out;
  }

  // The members of the vectors' `info`.
  static json Info(const Verdict& verdict) {
    if (verdict.failed_checks == std::vector<std::string>{"malformed"}) return json::object();
    json out = {{"alg", OrNull(verdict.algorithm)},
                {"content_type", OrNull(verdict.content_type)},
                {"issuer", OrNull(verdict.issuer)},
                {"feed", OrNull(verdict.feed)},
                {"svn", OrNull(verdict.svn)}};
    if (verdict.payload_hash_algorithm) out["payload_hash_alg"] = *verdict.payload_hash_algorithm;
    if (!verdict.payload) return out;
    out["chain_subjects"] = verdict.chain_subjects;
    out["chain_sha256"] = json::array();
    for (const Bytes& certificate : verdict.chain)
      out["chain_sha256"].push_back(Sha256(certificate));
    out["payload_len"] = verdict.payload->size();
    out["payload_sha256"] = Sha256(*verdict.payload);
    if (verdict.receipts) out["receipts"] = ToJson(*verdict.receipts);
    return out;
  }
};

TEST_F(CoseVectorsTest, EveryMessageGetsItsVerdict) {
  const json vectors = json::parse(Read("cose.json"));
  EXPECT_EQ(vectors["cases"].size(), 49U);
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    Rules rules;
    const bool has_keys = vector.contains("ledger_keys");
    const std::vector<LedgerKey> keys =
        LedgerKeys(has_keys ? vector["ledger_keys"] : json::array());
    if (has_keys) rules.ledger_keys = &keys;
    if (vector.contains("minimum_svn")) rules.minimum_svn = vector["minimum_svn"];
    const Verdict verdict = Judge(ReadMessage(vector), rules);
    EXPECT_EQ(Names(verdict.failed_checks.begin(), verdict.failed_checks.end()),
              vector["failed_checks"].get<Names>());
    EXPECT_EQ(verdict.valid(), vector["verdict"] == "valid");
    EXPECT_EQ(Info(verdict), vector["info"]);
    if (vector.contains("payload_json")) {
      EXPECT_EQ(json::parse(*verdict.payload), vector["payload_json"]);
    }
    if (vector.contains("preimage")) {
      EXPECT_EQ(MatchesPreimage(verdict, Read(vector["preimage"])), vector["preimage_matches"]);
    }
  }
}

TEST_F(CoseVectorsTest, ReceiptsOfUnknownLedgersDoNotCount) {
  const json vectors = json::parse(Read("cose.json"));
  const std::vector<LedgerKey> none;
  Rules rules;
  rules.ledger_keys = &none;
  for (const json& vector : vectors["cases"]) {
    if (vector["id"] != "real-hash-envelope") continue;
    EXPECT_EQ(Judge(ReadMessage(vector), rules).failed_checks, std::vector<std::string>{"receipt"});
  }
}

// The measurement that a signed reference names is the one in the report of such a guest.
TEST_F(CoseVectorsTest, SignedMeasurementsAreThoseOfReports) {
  const json vectors = json::parse(Read("cose.json"));
  const json reports = json::parse(Read("reports.json"));
  int seen = 0;
  for (const json& vector : vectors["cases"]) {
    if (!vector.contains("matches_report") || !vector.contains("payload_json")) continue;
    for (const json& report : reports["cases"]) {
      if (report["id"] != vector["matches_report"]) continue;
      EXPECT_EQ(report["parsed"]["measurement"],
                vector["payload_json"]["x-ms-sevsnpvm-launchmeasurement"]);
      ++seen;
    }
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace kata_cc::cose
