// SPDX-License-Identifier: Apache-2.0
// kata-ccctl check on the command line; the checks themselves: shim/vm/snp_launch_test.cc.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "guest-image/measure/test_image.h"
#include "shim/ctl/run_ctl.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

class CheckCommandTest : public ::testing::Test {
 protected:
  void Write(const std::string& path, ByteView bytes) {
    std::filesystem::create_directories(std::filesystem::path(dir_.path(path)).parent_path());
    (void)dir_.Write(path, bytes);
  }
  void Write(const std::string& path, const std::string& text) { Write(path, AsBytes(text)); }
  void WriteHost() {
    Write("proc/cpuinfo", "flags : svm sev_snp\n");
    Write("sys/module/kvm_amd/parameters/sev_snp", "Y\n");
    for (const char* file : {"dev/kvm", "dev/sev", "dev/vhost-vsock", "usr/share/kata-cc/vmlinuz",
                             "usr/share/kata-cc/initrd.img", "usr/lib64/libvirt.so.0.10005.0"})
      Write(file, "");
    Write("ovmf.fd", measure::TestImage().bytes);
    Write("usr/bin/qemu-system-x86_64", "#!/bin/sh\necho QEMU emulator version 9.1.0\n");
    ASSERT_EQ(::chmod(dir_.path("usr/bin/qemu-system-x86_64").c_str(), 0755), 0);
    Write("etc/kata-cc/configuration.toml", "[hypervisor.qemu]\nfirmware = \"/ovmf.fd\"\n");
  }
  CtlResult Check(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"check", "--root", dir_.path("")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunCtl(arguments);
  }
  TestDir dir_;
};

TEST_F(CheckCommandTest, AReadyHost) {
  WriteHost();
  const CtlResult result = Check();
  EXPECT_EQ(result.exit_code, 0) << result.output << result.errors;
  EXPECT_EQ(result.output.find("MISSING"), std::string::npos);
  const json out = json::parse(Check({"--json"}).output);
  EXPECT_EQ(out["ready"], true);
  EXPECT_EQ(out["requirements"].size(), 11U);
}

TEST_F(CheckCommandTest, AnEmptyHostLacksEverythingByName) {
  const CtlResult result = Check();
  EXPECT_EQ(result.exit_code, 1);
  for (const char* name : {"configuration", "cpu flag", "kernel parameter", "/dev/kvm", "/dev/sev",
                           "/dev/vhost-vsock", "firmware", "kernel", "initrd", "qemu", "libvirt"})
    EXPECT_NE(result.output.find(std::string("MISSING  ") + name + ": "), std::string::npos)
        << name << "\n"
        << result.output;
  EXPECT_EQ(json::parse(Check({"--json"}).output)["ready"], false);
}

TEST_F(CheckCommandTest, AnotherKindOfGuestIsNotReady) {
  WriteHost();
  Write("etc/kata-cc/configuration.toml",
        "[hypervisor.qemu]\ntee = \"none\"\nfirmware = \"/ovmf.fd\"\n");
  const CtlResult result = Check();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.output.find("tee is not \"snp\""), std::string::npos);
}

TEST_F(CheckCommandTest, ABadConfigurationIsUnusable) {
  WriteHost();
  Write("etc/kata-cc/configuration.toml", "x = 1\n");
  EXPECT_EQ(Check().exit_code, 2);
  EXPECT_EQ(Check({"--config", dir_.path("none")}).exit_code, 2);
}

}  // namespace
}  // namespace kata_cc::ctl
