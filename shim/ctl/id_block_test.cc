// SPDX-License-Identifier: Apache-2.0
// kata-ccctl id-block on the command line: every ID block of the vectors, made and verified.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.h"
#include "base/testing/vectors.h"
#include "shim/ctl/run_ctl.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;
using Names = std::set<std::string>;

class IdBlockCommandTest : public kata_cc::testing::VectorsTest {
 protected:
  static std::string Path(const json& name) {
    return kata_cc::testing::VectorsDir() + "/" + name.get<std::string>();
  }
  CtlResult Verify(const std::string& block_b64, const std::string& auth_b64) {
    return RunCtl({"id-block", "verify", "--json", "--id-block",
                   dir_.Write("block", AsBytes(block_b64 + "\n")), "--id-auth",
                   dir_.Write("auth", *Base64Decode(auth_b64))});
  }
  TestDir dir_;
};

TEST_F(IdBlockCommandTest, EveryBlockGetsItsVerdict) {
  int seen = 0;
  const json vectors = json::parse(Read("id-block.json"));
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    ++seen;
    if (!vector.contains("id_block_b64")) continue;  // A key that cannot sign: below.
    const CtlResult result = Verify(vector["id_block_b64"], vector["id_auth_b64"]);
    EXPECT_EQ(result.exit_code, vector["verdict"] == "valid" ? 0 : 1) << result.errors;
    const json out = json::parse(result.output);
    EXPECT_EQ(out["verdict"], vector["verdict"]);
    EXPECT_EQ(out["failed_checks"].get<Names>(), vector["failed_checks"].get<Names>());
    if (vector["verdict"] == "valid") {
      EXPECT_EQ(out["parsed"]["id_key_digest"], vector["id_key_digest"]);
    }
  }
  EXPECT_EQ(seen, 14);
}

TEST_F(IdBlockCommandTest, WhatIsCreatedIsThePeersBlockAndVerifies) {
  const json vectors = json::parse(Read("id-block.json"));
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const json& inputs = vector["inputs"];
    std::vector<std::string> arguments = {
        "id-block",
        "create",
        "--json",
        "--measurement",
        inputs.is_object() ? inputs["launch_digest"].get<std::string>() : std::string(96, '0'),
        "--idkey",
        Path(vector["id_key"])};
    if (vector["verdict"] != "valid") {
      if (vector["failed_checks"] == json::array({"key_type"})) {
        EXPECT_EQ(RunCtl(arguments).exit_code, 2);
      }
      continue;
    }
    arguments.insert(arguments.end(),
                     {"--family-id", inputs["family_id"], "--image-id", inputs["image_id"],
                      "--guest-svn", std::to_string(inputs["guest_svn"].get<std::uint32_t>()),
                      "--policy", std::to_string(inputs["policy"].get<std::uint64_t>())});
    const bool author = !vector["author_key"].is_null();
    if (author) arguments.insert(arguments.end(), {"--authorkey", Path(vector["author_key"])});
    const CtlResult result = RunCtl(arguments);
    ASSERT_EQ(result.exit_code, 0) << result.errors;
    const json out = json::parse(result.output);
    EXPECT_EQ(out["id_block"], vector["id_block_b64"]);
    EXPECT_EQ(out["id_key_digest"], vector["id_key_digest"]);
    EXPECT_EQ(out.contains("author_key_digest"), author);
    if (author) {
      EXPECT_EQ(out["author_key_digest"], vector["author_key_digest"]);
    }
    EXPECT_EQ(Verify(out["id_block"], out["id_auth"]).exit_code, 0);
  }
}

TEST_F(IdBlockCommandTest, UnusableArgumentsAreNotAVerdict) {
  const std::string key = kata_cc::testing::VectorsDir() + "/idblock/gen_a.der";
  const std::string junk = dir_.Write("junk", AsBytes("junk"));
  const std::string digest(96, '0');
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"--measurement", "00", "--idkey", key},
           {"--measurement", digest, "--idkey", junk},
           {"--measurement", digest, "--idkey", key, "--authorkey", junk},
           {"--measurement", digest, "--idkey", key, "--family-id", "1"},
           {"--measurement", digest, "--idkey", key, "--policy", "x"},
           {"--idkey", key}}) {
    std::vector<std::string> all = {"id-block", "create"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    EXPECT_EQ(RunCtl(all).exit_code, 2) << arguments.back();
  }
  const CtlResult sizes = RunCtl({"id-block", "verify", "--id-block", junk, "--id-auth", junk});
  EXPECT_EQ(sizes.exit_code, 1);
  EXPECT_EQ(sizes.output, "invalid\nfailed check: size\n");
  EXPECT_EQ(
      RunCtl({"id-block", "verify", "--id-block", junk, "--id-auth", dir_.path("none")}).exit_code,
      2);
}

}  // namespace
}  // namespace kata_cc::ctl
