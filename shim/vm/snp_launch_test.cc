// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/snp_launch.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "guest-image/measure/stand_in.h"
#include "guest-image/measure/test_image.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {
namespace {

using Names = std::set<std::string>;

// A root directory of a host that has everything.
class SnpLaunchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "/snp-host.XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    Write("/proc/cpuinfo", "processor : 0\nflags\t\t: fpu svm sev sev_es sev_snp\n");
    Write("/sys/module/kvm_amd/parameters/sev_snp", "Y\n");
    for (const char* file : {"/dev/kvm", "/dev/sev", "/dev/vhost-vsock", "/vmlinuz", "/initrd.img",
                             "/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0"})
      Write(file, "");
    WriteQemu("QEMU emulator version 10.0.3 (Debian 1:10.0.3)");
    WriteFirmware(measure::TestImage().bytes);
    host_ = {.root = root_,
             .qemu_path = "/usr/bin/qemu",
             .firmware = "/ovmf.fd",
             .kernel = "/vmlinuz",
             .initrd = "/initrd.img",
             .vsock = true,
             .libvirt_version = {}};
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root_ + path).parent_path());
    ASSERT_TRUE(WriteFile(root_ + path, AsBytes(text)));
  }
  void WriteQemu(const std::string& says, int status = 0) {
    Write("/usr/bin/qemu", "#!/bin/sh\n[ \"$1\" = --version ] && echo '" + says + "'\nexit " +
                               std::to_string(status) + "\n");
    ASSERT_EQ(::chmod((root_ + "/usr/bin/qemu").c_str(), 0755), 0);
  }
  void WriteFirmware(ByteView image) { Write("/ovmf.fd", AsString(image)); }
  void Remove(const std::string& path) { std::filesystem::remove(root_ + path); }

  Names MissingNames() const {
    Names names;
    for (const SnpRequirement& requirement : CheckSnpHost(host_))
      if (!requirement.met) names.insert(requirement.name);
    return names;
  }
  std::string FirmwareError() const {
    const Result<void> checked = CheckSnpFirmware(root_ + "/ovmf.fd");
    return checked ? "" : checked.error().message();
  }

  std::string root_;
  SnpHost host_;
};

TEST_F(SnpLaunchTest, AHostThatHasEverythingIsReady) {
  EXPECT_EQ(MissingNames(), Names{});
  const Result<void> required = RequireSnpHost(host_);
  EXPECT_TRUE(required) << required.error().message();
  for (const SnpRequirement& requirement : CheckSnpHost(host_))
    EXPECT_NE(requirement.detail, "") << requirement.name;
}

TEST_F(SnpLaunchTest, EachThingThatIsMissingIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"/proc/cpuinfo", "cpu flag"},
      {"/sys/module/kvm_amd/parameters/sev_snp", "kernel parameter"},
      {"/dev/kvm", "/dev/kvm"},
      {"/dev/sev", "/dev/sev"},
      {"/dev/vhost-vsock", "/dev/vhost-vsock"},
      {"/ovmf.fd", "firmware"},
      {"/vmlinuz", "kernel"},
      {"/initrd.img", "initrd"},
      {"/usr/bin/qemu", "qemu"},
      {"/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0", "libvirt"}};
  Names all;
  for (const auto& [path, name] : cases) {
    Remove(path);
    all.insert(name);
    EXPECT_EQ(MissingNames(), all) << path;
  }
  const Result<void> required = RequireSnpHost(host_);
  ASSERT_FALSE(required);
  EXPECT_EQ(required.error().code(), Code::kFailedPrecondition);
  for (const std::string& name : all)
    EXPECT_NE(required.error().message().find(name + ": "), std::string::npos) << name;
}

TEST_F(SnpLaunchTest, WhatIsThereButOffOrTooOldIsNamed) {
  Write("/proc/cpuinfo", "flags\t\t: fpu svm sev sev_es sev_snp_not\n");
  Write("/sys/module/kvm_amd/parameters/sev_snp", "N\n");
  WriteQemu("QEMU emulator version 7.2.15 (Debian 1:7.2)");
  Remove("/usr/lib/x86_64-linux-gnu/libvirt.so.0.11003.0");
  Write("/usr/lib64/libvirt.so.0.9000.0", "");
  EXPECT_EQ(MissingNames(), (Names{"cpu flag", "kernel parameter", "qemu", "libvirt"}));
  const std::string message = RequireSnpHost(host_).error().message();
  EXPECT_NE(message.find("qemu: 7.2.15: too old: needs 9.1.0"), std::string::npos) << message;
  EXPECT_NE(message.find("libvirt: 9.0.0: too old: needs 10.5.0"), std::string::npos) << message;
}

// Of the real machine, whatever it has: three of the files are missing anywhere.
TEST_F(SnpLaunchTest, AVmIsRefusedWithAllThatIsMissingWhateverTheAccelerator) {
  for (const Accelerator accelerator : {Accelerator::kAuto, Accelerator::kKvm, Accelerator::kTcg}) {
    VmConfig config;
    config.name = "kata-cc-test";
    config.qemu_path = root_ + "/none/qemu";
    config.kernel = root_ + "/vmlinuz";
    config.initrd = root_ + "/none/initrd.img";
    config.firmware = root_ + "/none/ovmf.fd";
    config.state_dir = root_;
    config.tee = Tee::kSnp;
    config.accelerator = accelerator;
    config.host_data.emplace();
    const auto vm = Vm::Create(config);
    ASSERT_FALSE(vm);
    EXPECT_EQ(vm.error().code(), Code::kFailedPrecondition);
    const std::string& message = vm.error().message();
    for (const char* part : {"tee = \"snp\" takes no other: ", "firmware: ", "initrd: ", "qemu: "})
      EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

TEST_F(SnpLaunchTest, TheLibraryThatIsLinkedCountsBeforeTheOneThatLiesAbout) {
  host_.libvirt_version = 10'004'999;
  EXPECT_EQ(MissingNames(), Names{"libvirt"});
  host_.libvirt_version = 10'005'000;
  EXPECT_EQ(MissingNames(), Names{});
}

TEST_F(SnpLaunchTest, AQemuThatFailsOrSaysNothingIsNotTaken) {
  WriteQemu("QEMU emulator version 10.0.3", 1);
  EXPECT_EQ(MissingNames(), Names{"qemu"});
  for (const char* says : {"", "version ", "version x", "version 99999.0"}) {
    WriteQemu(says);
    EXPECT_EQ(MissingNames(), Names{"qemu"}) << says;
  }
  WriteQemu("QEMU emulator version 9.1");
  EXPECT_EQ(MissingNames(), Names{});
}

TEST_F(SnpLaunchTest, VsockCountsOnlyWhereItIsUsed) {
  Remove("/dev/vhost-vsock");
  EXPECT_EQ(MissingNames(), Names{"/dev/vhost-vsock"});
  host_.vsock = false;
  EXPECT_EQ(MissingNames(), Names{});
}

TEST_F(SnpLaunchTest, FirmwareWithoutWhatSnpNeedsIsToldApart) {
  WriteFirmware(Bytes(8192));
  EXPECT_NE(FirmwareError().find("no SEV metadata"), std::string::npos);
  measure::TestImage image;
  image.SetMetadata({{0x800000, 0x9000, 1}, {0x80d000, 0x1000, 2}, {0x80e000, 0x1000, 3}});
  WriteFirmware(image.bytes);
  EXPECT_NE(FirmwareError().find("no kernel hashes"), std::string::npos);
  image.SetMetadata({{0x800000, 0x9000, 1}, {0x80e000, 0x1000, 3}, {0x810000, 0x1000, 0x10}});
  WriteFirmware(image.bytes);
  EXPECT_NE(FirmwareError().find("no secrets"), std::string::npos);
  image.SetMetadata({{0x800000, 0x9000, 1}, {0x80d000, 0x1000, 2}, {0x810000, 0x1000, 0x10}});
  WriteFirmware(image.bytes);
  EXPECT_NE(FirmwareError().find("no CPUID"), std::string::npos);
  WriteFirmware(Bytes(16));
  EXPECT_NE(FirmwareError(), "");
  host_.firmware.clear();
  EXPECT_EQ(MissingNames(), Names{"firmware"});
}

TEST_F(SnpLaunchTest, EveryTruncationOfTheFirmwareIsRefused) {
  const Bytes image = measure::TestImage().bytes;
  for (std::size_t size = 0; size < image.size(); size += 97) {
    WriteFirmware(ByteView(image).first(size));
    EXPECT_NE(FirmwareError(), "") << size;
  }
}

}  // namespace
}  // namespace kata_cc::shim
