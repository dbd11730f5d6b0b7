// SPDX-License-Identifier: Apache-2.0
// kata-ccctl report on the command line: every report of the vectors, and bad usage.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "base/testing/vectors.h"
#include "shim/ctl/files.h"
#include "shim/ctl/run_ctl.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;
using Names = std::set<std::string>;

class ReportCommandTest : public kata_cc::testing::VectorsTest {
 protected:
  static json Cases() { return json::parse(Read("reports.json"))["cases"]; }
  static json Case(const std::string& id) {
    for (const json& vector : Cases())
      if (vector["id"] == id) return vector;
    ADD_FAILURE() << id;
    return {};
  }
  static std::string Path(const json& name) {
    return kata_cc::testing::VectorsDir() + "/" + name.get<std::string>();
  }

  // The report's file, or a patched copy of it.
  std::string ReportPath(const json& vector) {
    if (!vector.contains("patch")) return Path(vector["report"]);
    Bytes bytes = Read(vector["report"]);
    for (const json& edit : vector["patch"]) {
      if (edit["op"] == "resize") {
        bytes.resize(edit["size"]);
        continue;
      }
      const bool exclusive_or = edit["op"] == "xor";
      const Bytes value = *HexDecode(edit[exclusive_or ? "value" : "hex"].get<std::string>());
      for (std::size_t i = 0; i < value.size(); ++i) {
        std::uint8_t& byte = bytes[edit["offset"].get<std::size_t>() + i];
        byte = exclusive_or ? byte ^ value[i] : value[i];
      }
    }
    return dir_.Write("report.bin", bytes);
  }

  std::vector<std::string> Verify(const json& vector) {
    std::vector<std::string> arguments = {"report",
                                          "verify",
                                          "--json",
                                          "--report",
                                          ReportPath(vector),
                                          "--vek",
                                          Path(vector["vek"]),
                                          "--ask",
                                          Path(vector["ask"]),
                                          "--ark",
                                          Path(vector["ark"])};
    for (const json& root : vector["trusted_arks"])
      arguments.insert(arguments.end(), {"--trusted-ark", Path(root)});
    if (vector.contains("crl") && !vector["crl"].is_null())
      arguments.insert(arguments.end(), {"--crl", Path(vector["crl"])});
    arguments.insert(arguments.end(), {"--time", vector["verify_time"].get<std::string>()});
    return arguments;
  }

  CtlResult VerifyAlso(const json& vector, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = Verify(vector);
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCtl(arguments);
  }

  TestDir dir_;
};

TEST_F(ReportCommandTest, EveryReportGetsItsVerdictAndExitCode) {
  std::size_t seen = 0;
  for (const json& vector : Cases()) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const CtlResult result = RunCtl(Verify(vector));
    const bool valid = vector["verdict"] == "valid";
    EXPECT_EQ(result.exit_code, valid ? 0 : 1) << result.errors;
    const json out = json::parse(result.output, nullptr, false);
    ASSERT_TRUE(out.is_object()) << result.output;
    EXPECT_EQ(out["verdict"], vector["verdict"]);
    EXPECT_EQ(out["failed_checks"].get<Names>(), vector["failed_checks"].get<Names>());
    if (vector.contains("parsed")) {
      EXPECT_EQ(out["parsed"], vector["parsed"]);
    } else if (Names{"parse:report must be 1184 bytes"} == vector["failed_checks"].get<Names>()) {
      EXPECT_TRUE(out["parsed"].is_null());
    }
    ++seen;
  }
  EXPECT_EQ(seen, 205U);
}

TEST_F(ReportCommandTest, ShowPrintsTheFields) {
  const json vector = Case("turin-v5-tav");
  const CtlResult result = RunCtl({"report", "show", Path(vector["report"])});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(json::parse(result.output), vector["parsed"]);
  const CtlResult none = RunCtl({"report", "show", dir_.Write("short", Bytes(1183))});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.errors.find("1184 bytes"), std::string::npos);
}

TEST_F(ReportCommandTest, AReportOfAnyOtherLengthIsInvalid) {
  json vector = Case("turin-v5-tav");
  for (const std::size_t size : {0, 1, 0x2a0, 1183, 1185, 4096}) {
    vector["patch"] = {{{"op", "resize"}, {"size", size}}};
    const CtlResult result = RunCtl(Verify(vector));
    EXPECT_EQ(result.exit_code, 1) << size;
    EXPECT_EQ(json::parse(result.output)["verdict"], "invalid") << size;
  }
}

TEST_F(ReportCommandTest, ExpectationsAreChecked) {
  const json vector = Case("milan-v2-debug-gosevguest");
  const json& parsed = vector["parsed"];
  const std::string measurement = parsed["measurement"];
  const std::string host_data = parsed["host_data"];
  EXPECT_EQ(VerifyAlso(vector, {"--expect-measurement", measurement, "--expect-host-data",
                                host_data, "--expect-report-data", parsed["report_data"],
                                "--expect-policy", "0xb0000", "--max-vmpl", "0", "--min-guest-svn",
                                std::to_string(parsed["guest_svn"].get<int>())})
                .exit_code,
            0);
  const struct {
    std::vector<std::string> arguments;
    const char* failed;
  } cases[] = {
      {{"--expect-measurement", std::string(96, '0')}, "measurement"},
      {{"--expect-host-data", std::string(64, 'f')}, "host_data"},
      {{"--expect-report-data", std::string(128, '1')}, "report_data"},
      {{"--expect-policy", "0x30000"}, "policy"},
      {{"--expect-id-key-digest", std::string(96, '1')}, "id_key_digest"},
      {{"--expect-author-key-digest", std::string(96, '1')}, "author_key_digest"},
      {{"--min-guest-svn", "4000000000"}, "guest_svn"},
      {{"--min-tcb", "bl=2,ucode=255"}, "min_tcb"},
      {{"--deny-debug"}, "debug"},
      {{"--deny-smt"}, "smt"},
  };
  for (const auto& test : cases) {
    const CtlResult result = VerifyAlso(vector, test.arguments);
    EXPECT_EQ(result.exit_code, 1) << test.failed;
    EXPECT_EQ(json::parse(result.output)["failed_checks"], json::array({test.failed}));
  }
}

TEST_F(ReportCommandTest, AmdsRootsAreTrustedUnlessOthersAreNamed) {
  json simulated = Case("sim-milan-v2");
  EXPECT_EQ(RunCtl(Verify(simulated)).exit_code, 0);
  EXPECT_NE(RunCtl(Verify(simulated)).errors.find("no root of AMD's"), std::string::npos);
  simulated["trusted_arks"] = json::array();
  const CtlResult refused = RunCtl(Verify(simulated));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(json::parse(refused.output)["failed_checks"], json::array({"ark_not_pinned"}));
  json real = Case("turin-v5-tav");
  real["trusted_arks"] = json::array();
  EXPECT_EQ(RunCtl(Verify(real)).exit_code, 0);
}

TEST_F(ReportCommandTest, UnusableArgumentsAreNotAVerdict) {
  const json vector = Case("milan-v2-sev");
  const std::string junk = dir_.Write("junk", AsBytes("no certificate"));
  const std::vector<std::vector<std::string>> cases = {
      {"--time", "yesterday"},
      {"--time", "2026-02-30T00:00:00Z"},
      {"--expect-measurement", "abc"},
      {"--expect-measurement", "abcd"},
      {"--expect-host-data", "zz"},
      {"--crl", junk},
      {"--crl", dir_.path("none")},
      {"--trusted-ark", junk},
      {"--min-tcb", "bl"},
      {"--min-tcb", "spl=1"},
      {"--min-tcb", "bl=256"},
      {"--expect-policy", "none"},
      {"--reference", junk},
      {"--frob"},
  };
  for (const auto& arguments : cases) {
    const CtlResult result = VerifyAlso(vector, arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments[0];
    EXPECT_EQ(result.output, "") << arguments[0];
    EXPECT_NE(result.errors, "") << arguments[0];
  }
  json other = vector;
  for (const char* key : {"vek", "ask", "ark", "report"}) {
    other = vector;
    other[key] = "no/such/file";
    EXPECT_EQ(RunCtl(Verify(other)).exit_code, 2) << key;
  }
  EXPECT_EQ(RunCtl({"report", "verify"}).exit_code, 2);
  EXPECT_EQ(RunCtl({"report"}).exit_code, 2);
  EXPECT_EQ(RunCtl({"report", "show"}).exit_code, 2);
}

TEST_F(ReportCommandTest, ReferenceValuesAreExpected) {
  const json vector = Case("milan-v2-aci");
  json reference = {{"launch_digest", vector["parsed"]["measurement"]},
                    {"host_data", vector["parsed"]["host_data"]},
                    {"guest_policy", "0x30000"}};
  const auto run = [&] {
    return VerifyAlso(vector,
                      {"--reference", dir_.Write("reference.json", AsBytes(reference.dump()))});
  };
  const bool default_policy = vector["parsed"]["policy"] == 0x30000;
  EXPECT_EQ(run().exit_code, default_policy ? 0 : 1);
  reference.erase("guest_policy");
  EXPECT_EQ(run().exit_code, 0);
  reference["host_data"] = std::string(64, '0');
  EXPECT_EQ(json::parse(run().output)["failed_checks"], json::array({"host_data"}));
  reference["host_data"] = 1;
  EXPECT_EQ(run().exit_code, 2);
}

TEST(Rfc3339Test, TimesAreReadAsTheyAreMeant) {
  EXPECT_EQ(*ParseRfc3339("1970-01-01T00:00:01Z"), 1);
  EXPECT_EQ(*ParseRfc3339("1970-01-01T01:00:00.25+01:00"), 0);
  EXPECT_EQ(*ParseRfc3339("2024-02-29T12:00:00-00:30"), 1709209800);
  for (const char* text : {"", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z",
                           "1970-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "1970-01-01T24:00:00Z",
                           "1970-01-01T00:00:00ZZ", "1970-01-01T00:00:00+1:00",
                           "1970-01-01T00:00:00+24:00", "x970-01-01T00:00:00Z"}) {
    EXPECT_FALSE(ParseRfc3339(text)) << text;
  }
}

}  // namespace
}  // namespace kata_cc::ctl
