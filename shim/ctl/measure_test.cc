// SPDX-License-Identifier: Apache-2.0
// kata-ccctl measure on the command line: every launch digest of the vectors, and --pod.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/testing/vectors.h"
#include "shim/ctl/run_ctl.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

class MeasureCommandTest : public kata_cc::testing::VectorsTest {
 protected:
  static std::string Path(const json& name) {
    return kata_cc::testing::VectorsDir() + "/" + name.get<std::string>();
  }

  // The flags of sev-snp-measure.
  static std::vector<std::string> Arguments(const json& args) {
    std::vector<std::string> out = {"measure"};
    const auto number = [](const json& value) {
      return std::to_string(value.get<std::uint64_t>());
    };
    for (const auto& [key, value] : args.items()) {
      if (value.is_null()) continue;
      std::string flag = "--" + key;
      std::replace(flag.begin(), flag.end(), '_', '-');
      const bool file = key == "ovmf" || key == "kernel" || key == "initrd" || key == "svsm";
      std::string text = value.is_string() ? value.get<std::string>() : number(value);
      if (file) text = Path(value);
      if (key == "guest_features") {
        char hex[32];
        std::snprintf(hex, sizeof hex, "0x%llx",
                      static_cast<unsigned long long>(value.get<std::uint64_t>()));
        text = hex;
      }
      out.insert(out.end(), {flag, text});
    }
    return out;
  }

  static std::string Sha256(ByteView bytes) {
    Bytes digest(32);
    EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    return HexEncode(digest);
  }

  // A configuration, an image and a pod with a policy.
  void WriteNode(const std::string& more_config = "") {
    kernel_ = dir_.Write("vmlinuz", AsBytes("kernel"));
    initrd_ = dir_.Write("initrd.img", AsBytes("initrd"));
    config_ =
        dir_.Write("configuration.toml",
                   AsBytes("[hypervisor.qemu]\nkernel = \"" + kernel_ + "\"\ninitrd = \"" +
                           initrd_ + "\"\nfirmware = \"" + Path("fixtures/ovmf_AmdSev_suffix.bin") +
                           "\"\nkernel_params = \"a=b\"\n" + more_config));
  }
  std::string WritePod(const std::string& policy, const std::string& cpu) {
    return dir_.Write("pod.yaml", AsBytes("kind: Pod\nmetadata:\n  name: web\n  annotations:\n"
                                          "    io.katacontainers.config.agent.policy: " +
                                          Base64Encode(AsBytes(policy)) +
                                          "\nspec:\n  runtimeClassName: kata-cc\n  containers:\n"
                                          "  - resources: {limits: {cpu: " +
                                          cpu + "}}\n"));
  }
  json Reference(const std::string& pod) {
    const CtlResult result = RunCtl({"measure", "--pod", pod, "--config", config_});
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    return json::parse(result.output, nullptr, false);
  }

  TestDir dir_;
  std::string kernel_, initrd_, config_;
};

TEST_F(MeasureCommandTest, EveryLaunchDigestIsThatOfThePeer) {
  int seen = 0;
  const json vectors = json::parse(Read("launch-digest.json"));
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    ++seen;
    const CtlResult result = RunCtl(Arguments(vector["args"]));
    if (vector.contains("expected_error")) {
      EXPECT_EQ(result.exit_code, 2);
      EXPECT_EQ(result.output, "");
      EXPECT_NE(result.errors, "");
      continue;
    }
    EXPECT_EQ(result.exit_code, 0) << result.errors;
    EXPECT_EQ(result.output, vector["expected"].get<std::string>() + "\n");
  }
  EXPECT_EQ(seen, 82);
}

TEST_F(MeasureCommandTest, APodsReferenceValuesAreThoseOfItsLaunch) {
  WriteNode();
  const json values = Reference(WritePod("package p", "1500m"));
  EXPECT_EQ(values["host_data"], Sha256(AsBytes("package p")));
  EXPECT_EQ(values["guest_policy"], "0x30000");
  EXPECT_EQ(values["vcpus"], 3);
  EXPECT_EQ(values["name"], "web");
  EXPECT_EQ(values["simulated"], false);
  EXPECT_EQ(values["kernel"]["sha256"], Sha256(AsBytes("kernel")));
  const std::string line = values["kernel_command_line"];
  EXPECT_NE(line.find("kata_cc.tee=snp"), std::string::npos);
  EXPECT_NE(line.find(" a=b"), std::string::npos);
  // The same by hand.
  const CtlResult digest = RunCtl({"measure", "--mode", "snp", "--vcpus", "3", "--vcpu-type",
                                   "EPYC-v4", "--ovmf", Path("fixtures/ovmf_AmdSev_suffix.bin"),
                                   "--kernel", kernel_, "--initrd", initrd_, "--append", line});
  EXPECT_EQ(digest.output, values["launch_digest"].get<std::string>() + "\n");
}

TEST_F(MeasureCommandTest, WhatIsLaunchedChangesTheValues) {
  WriteNode();
  const json values = Reference(WritePod("package p", "1"));
  EXPECT_NE(Reference(WritePod("package q", "1"))["host_data"], values["host_data"]);
  EXPECT_EQ(Reference(WritePod("package q", "1"))["launch_digest"], values["launch_digest"]);
  EXPECT_NE(Reference(WritePod("package p", "2"))["launch_digest"], values["launch_digest"]);
  (void)dir_.Write("initrd.img", AsBytes("changed"));
  EXPECT_NE(Reference(WritePod("package p", "1"))["launch_digest"], values["launch_digest"]);
}

TEST_F(MeasureCommandTest, AnIdBlockForAnotherLaunchIsRefused) {
  WriteNode();
  const std::string pod = WritePod("package p", "1");
  const std::string digest = Reference(pod)["launch_digest"];
  const auto with_block = [&](const std::string& measurement) {
    const CtlResult created = RunCtl({"id-block", "create", "--json", "--measurement", measurement,
                                      "--id-key", Path("idblock/gen_a.der"), "--author-key",
                                      Path("idblock/gen_b.der"), "--guest-svn", "3"});
    const json block = json::parse(created.output);
    WriteNode("snp_id_block = \"" + block["id_block"].get<std::string>() + "\"\nsnp_id_auth = \"" +
              block["id_auth"].get<std::string>() + "\"\n");
    return block;
  };
  const json block = with_block(digest);
  const json values = Reference(pod);
  EXPECT_EQ(values["id_key_digest"], block["id_key_digest"]);
  EXPECT_EQ(values["author_key_digest"], block["author_key_digest"]);
  EXPECT_EQ(values["guest_svn"], 3);
  (void)with_block(std::string(96, '0'));
  const CtlResult refused = RunCtl({"measure", "--pod", pod, "--config", config_});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.errors.find("another launch digest"), std::string::npos);
}

TEST_F(MeasureCommandTest, UnusableArguments) {
  WriteNode();
  const std::string pod = WritePod("package p", "1");
  const std::string bare = dir_.Write("bare.yaml", AsBytes("kind: Pod\nmetadata: {name: x}\n"));
  const std::string none = dir_.Write("none.yaml", AsBytes("kind: Service\n"));
  const std::string ovmf = Path("fixtures/ovmf_AmdSev_suffix.bin");
  const std::vector<std::vector<std::string>> cases = {
      {},
      {"--mode", "snp"},
      {"--ovmf", ovmf},
      {"--mode", "snp", "--ovmf", ovmf, "--vcpu-type", "EPYC-v4"},
      {"--mode", "snp", "--ovmf", ovmf, "--vcpus", "1"},
      {"--mode", "snp", "--ovmf", ovmf, "--vcpus", "1", "--vcpu-type", "EPYC-v9"},
      {"--mode", "snp", "--ovmf", ovmf, "--vcpus", "0", "--vcpu-type", "EPYC"},
      {"--mode", "snp", "--ovmf", dir_.path("none"), "--vcpus", "1", "--vcpu-type", "EPYC"},
      {"--mode", "snp", "--ovmf", kernel_, "--vcpus", "1", "--vcpu-type", "EPYC"},
      {"--pod", pod, "--config", dir_.path("none")},
      {"--pod", pod, "--config", config_, "--mode", "snp"},
      {"--pod", bare, "--config", config_},
      {"--pod", none, "--config", config_},
      {"--pod", dir_.path("none"), "--config", config_},
      {"--pod", pod, "--config", config_, "--ovmf", kernel_},
  };
  for (std::vector<std::string> arguments : cases) {
    arguments.insert(arguments.begin(), "measure");
    const CtlResult result = RunCtl(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments.back();
    EXPECT_EQ(result.output, "") << arguments.back();
  }
}

}  // namespace
}  // namespace kata_cc::ctl
