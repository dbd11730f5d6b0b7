// SPDX-License-Identifier: Apache-2.0
// Launch digests, VMSA pages and tables of kernel hashes as sev-snp-measure prints them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/encoding.h"
#include "base/testing/vectors.h"
#include "guest-image/measure/cpu.h"
#include "guest-image/measure/launch_digest.h"

namespace kata_cc::measure {
namespace {

using nlohmann::json;

class MeasureVectorsTest : public kata_cc::testing::VectorsTest {
 protected:
  static json ReadJson(const std::string& name) { return json::parse(Read(name)); }
  static Bytes ReadOptional(const json& object, const char* key) {
    return object.contains(key) && !object[key].is_null() ? Read(object[key]) : Bytes{};
  }
  static std::string Append(const json& object) {
    return object.contains("append") && !object["append"].is_null() ? object["append"] : "";
  }
  static Result<Bytes> Measure(const json& args);
};

Result<Bytes> MeasureVectorsTest::Measure(const json& args) {
  LaunchInputs inputs;
  inputs.mode = TRY(ParseMode(args["mode"].get<std::string>()));
  inputs.vmm = TRY(ParseVmm(args.value("vmm_type", "QEMU")));
  inputs.vcpus = args.value("vcpus", 1U);
  inputs.guest_features = args.value("guest_features", std::uint64_t{1});
  if (args.contains("vcpu_sig")) {
    inputs.cpu_signature = args["vcpu_sig"];
  } else if (args.contains("vcpu_type")) {
    inputs.cpu_signature = TRY(CpuSignature(args["vcpu_type"].get<std::string>()));
  } else if (args.contains("vcpu_family")) {
    inputs.cpu_signature =
        TRY(CpuSignature(args["vcpu_family"], args["vcpu_model"], args["vcpu_stepping"]));
  }
  const Bytes ovmf = Read(args["ovmf"]);
  const Bytes svsm = ReadOptional(args, "svsm");
  inputs.ovmf = ovmf;
  inputs.svsm = svsm;
  inputs.vars_size = args.value("vars_size", std::uint64_t{0});
  if (args.contains("kernel")) {
    inputs.kernel = HashKernel(Read(args["kernel"]), ReadOptional(args, "initrd"), Append(args));
  }
  if (args.contains("snp_ovmf_hash")) {
    const Bytes hash = TRY(HexDecode(args["snp_ovmf_hash"].get<std::string>()));
    std::copy_n(hash.begin(), 48, inputs.ovmf_hash.emplace().begin());
  }
  return LaunchDigest(inputs);
}

TEST_F(MeasureVectorsTest, EveryLaunchDigestIsThatOfThePeer) {
  const json vectors = ReadJson("launch-digest.json");
  EXPECT_EQ(vectors["cases"].size(), 82U);
  for (const json& vector : vectors["cases"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const Result<Bytes> digest = Measure(vector["args"]);
    if (vector.contains("expected_error")) {
      EXPECT_FALSE(digest);
      continue;
    }
    ASSERT_TRUE(digest) << digest.error().message();
    EXPECT_EQ(HexEncode(*digest), vector["expected"]);
  }
}

TEST_F(MeasureVectorsTest, EveryVmsaPageIsThatOfThePeer) {
  const json vectors = ReadJson("vmsa-and-hashtable.json");
  EXPECT_EQ(vectors["pages"].size(), 19U);
  for (const json& vector : vectors["pages"]) {
    SCOPED_TRACE(vector["id"].get<std::string>());
    const VmsaConfig config{*ParseVmm(vector["vmm_type"].get<std::string>()), vector["eip"],
                            vector["guest_features"],
                            vector["vcpu_sig"].is_null() ? 0U : vector["vcpu_sig"].get<unsigned>()};
    const Page page = vector.value("svsm", false) ? BuildSvsmVmsa(config) : BuildVmsa(config);
    EXPECT_EQ(HexEncode(Sha256({page})), vector["page_sha256"]);
    EXPECT_EQ(HexEncode(Sha384({page})), vector["page_sha384"]);
  }
}

TEST_F(MeasureVectorsTest, EveryTableOfKernelHashesIsThatOfThePeer) {
  const json vectors = ReadJson("vmsa-and-hashtable.json");
  EXPECT_EQ(vectors["hash_tables"].size(), 18U);
  for (const json& vector : vectors["hash_tables"]) {
    const KernelHashes hashes =
        HashKernel(Read(vector["kernel"]), ReadOptional(vector, "initrd"), Append(vector));
    EXPECT_EQ(HexEncode(BuildHashTable(hashes)), vector["table_hex"]);
  }
}

}  // namespace
}  // namespace kata_cc::measure
