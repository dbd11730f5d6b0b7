// SPDX-License-Identifier: Apache-2.0
#include "shim/config/config.h"

#include <gtest/gtest.h>

#include <string>

#include "base/encoding.h"

namespace kata_cc::shim {
namespace {

constexpr char kMinimal[] = "[hypervisor.qemu]\ntee = \"none\"\n";

std::string ErrorOf(const std::string& text) {
  const auto config = ParseConfig(text, "test.toml");
  return config ? "" : config.error().message();
}

TEST(ConfigTest, ReadsEveryKey) {
  const auto config = ParseConfig(R"(
[hypervisor.qemu]
path = "/q"
kernel = "/k"
initrd = "/i"
firmware = "/f"
kernel_params = "a=b"
libvirt_uri = "qemu+unix:///system?socket=/s"
accelerator = "tcg"
tee = "sim"
transport = "virtio-serial"
default_vcpus = 2
default_memory = 256
static_sandbox_default_workload_mem = 1792
snp_guest_policy = 0xb0000
[agent.kata]
dial_timeout = 90
request_timeout = 5
health_check_interval = 7
[runtime]
create_container_timeout = 30
image_dir = "/d"
squashfs_compressor = "zstd"
scratch = "block-encrypted"
emptydir_mode = "block-encrypted"
scratch_size = 2048
log_level = "debug"
)",
                                  "test.toml");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->qemu_path, "/q");
  EXPECT_EQ(config->kernel, "/k");
  EXPECT_EQ(config->initrd, "/i");
  EXPECT_EQ(config->firmware, "/f");
  EXPECT_EQ(config->kernel_params, "a=b");
  EXPECT_EQ(config->libvirt_uri, "qemu+unix:///system?socket=/s");
  EXPECT_EQ(config->accelerator, Accelerator::kTcg);
  EXPECT_EQ(config->tee, Tee::kSim);
  EXPECT_EQ(config->transport, Transport::kVirtioSerial);
  EXPECT_EQ(config->sizing.default_vcpus, 2U);
  EXPECT_EQ(config->sizing.default_memory_mib, 256U);
  EXPECT_EQ(config->sizing.default_workload_memory_mib, 1792U);
  EXPECT_EQ(config->snp_guest_policy, 0xb0000U);
  EXPECT_EQ(config->dial_timeout.count(), 90);
  EXPECT_EQ(config->request_timeout.count(), 5);
  EXPECT_EQ(config->health_check_interval.count(), 7);
  EXPECT_EQ(config->create_container_timeout.count(), 30);
  EXPECT_EQ(config->image_dir, "/d");
  EXPECT_EQ(config->squashfs_compressor, "zstd");
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
}

TEST(ConfigTest, AnIdBlockMustFitTheLaunch) {
  const auto with = [](const Bytes& block, const Bytes& auth, const std::string& more = "") {
    return ParseConfig("[hypervisor.qemu]\ntee = \"none\"\nsnp_id_block = \"" +
                           Base64Encode(block) + "\"\nsnp_id_auth = \"" + Base64Encode(auth) +
                           "\"\n" + more,
                       "t");
  };
  Bytes block(96), auth(4096);
  StoreLe<std::uint64_t>(block, 88, 0x30000);
  ASSERT_TRUE(with(block, auth));
  EXPECT_FALSE(with(block, auth)->snp_author_key);
  auth[4] = 1;
  EXPECT_TRUE(with(block, auth)->snp_author_key);
  EXPECT_FALSE(with(block, auth, "snp_guest_policy = 0x20000\n"));
  EXPECT_FALSE(with(block, auth, "snp_guest_policy = 0x10000\n"));
  EXPECT_FALSE(with(block, {}));
  EXPECT_FALSE(with({}, auth));
  EXPECT_FALSE(with(Bytes(95), auth));
  EXPECT_FALSE(with(block, Bytes(4095)));
}

TEST(ConfigTest, TheDeployedFileIsValidAndConfidential) {
  const auto config = ReadConfig(KATA_CC_SOURCE_DIR "/shim/deploy/configuration.toml");
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->tee, Tee::kSnp);
  const Config defaults;
  EXPECT_EQ(config->sizing.default_memory_mib, defaults.sizing.default_memory_mib);
  EXPECT_EQ(config->dial_timeout, defaults.dial_timeout);
}

TEST(ConfigTest, ErrorsNameTheKey) {
  EXPECT_EQ(ErrorOf(kMinimal), "");
  EXPECT_EQ(ErrorOf("[hypervisor.qemu]\ntea = \"none\"\n"),
            "test.toml: hypervisor.qemu.tea: unknown key");
  EXPECT_EQ(ErrorOf("x = 1\n"), "test.toml: x: unknown key");
  EXPECT_EQ(ErrorOf("[hypervisor.qemu]\ntee = \"tdx\"\n"),
            "test.toml: hypervisor.qemu.tee: none of snp, sim, none");
  EXPECT_EQ(ErrorOf("[agent.kata]\ndial_timeout = \"60\"\n"),
            "test.toml: agent.kata.dial_timeout: not an integer");
  EXPECT_EQ(ErrorOf("[agent.kata]\ndial_timeout = 0\n"),
            "test.toml: agent.kata.dial_timeout: not in 1..3600");
  EXPECT_EQ(ErrorOf("[hypervisor.qemu]\nkernel = \"k\"\n"),
            "test.toml: hypervisor.qemu.kernel: not absolute");
  EXPECT_EQ(ErrorOf("runtime = 1\n"), "test.toml: runtime: not a table");
  EXPECT_EQ(ErrorOf(""), "test.toml: hypervisor.qemu.firmware: needed when tee is \"snp\"");
  EXPECT_NE(ErrorOf("[hyper").find("test.toml: line 1: "), std::string::npos);
}

TEST(ConfigTest, AMissingFileIsNamed) {
  const auto config = ReadConfig("/no/such/file.toml");
  ASSERT_FALSE(config);
  EXPECT_NE(config.error().message().find("/no/such/file.toml"), std::string::npos);
}

TEST(ConfigTest, TheFirstSourceThatIsSetWins) {
  ConfigSources sources;
  EXPECT_EQ(*ChooseConfigPath(sources), kDefaultConfigPath);
  sources.environment = "/env";
  EXPECT_EQ(*ChooseConfigPath(sources), "/env");
  sources.option = "/option";
  EXPECT_EQ(*ChooseConfigPath(sources), "/option");
  sources.annotation = "/etc/kata-cc/small.toml";
  EXPECT_EQ(*ChooseConfigPath(sources), "/etc/kata-cc/small.toml");
  sources.annotation = "/tmp/mine.toml";
  EXPECT_FALSE(ChooseConfigPath(sources));
  sources.annotation = "/etc/kata-cc/../../tmp/mine.toml";
  EXPECT_FALSE(ChooseConfigPath(sources));
}

}  // namespace
}  // namespace kata_cc::shim
