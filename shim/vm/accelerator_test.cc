// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/accelerator.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kata_cc::shim {
namespace {

class AcceleratorTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/accelerator_test.XXXXXX";
    dir_ = ::mkdtemp(pattern);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }

  std::string dir_;
};

TEST_F(AcceleratorTest, KvmDeviceWithoutTheCpuFlagIsTcg) {
  const std::string cpuinfo = Write("cpuinfo", "processor : 0\nflags\t\t: fpu sse2 hypervisor\n");
  EXPECT_EQ(ProbeAccelerator({.cpuinfo = cpuinfo, .kvm = "/dev/kvm"}), Accelerator::kTcg);
}

TEST_F(AcceleratorTest, CpuFlagWithoutAWorkingDeviceIsTcg) {
  const std::string cpuinfo = Write("cpuinfo", "flags\t\t: fpu svm\n");
  EXPECT_EQ(ProbeAccelerator({.cpuinfo = cpuinfo, .kvm = dir_ + "/none"}), Accelerator::kTcg);
  const std::string no_kvm = Write("kvm", "");
  EXPECT_EQ(ProbeAccelerator({.cpuinfo = cpuinfo, .kvm = no_kvm}), Accelerator::kTcg);
}

TEST_F(AcceleratorTest, AFlagThatOnlyContainsSvmDoesNotCount) {
  const std::string cpuinfo = Write("cpuinfo", "flags : svm_lock vmxnet\nvmx flags : vmx\n");
  EXPECT_EQ(ProbeAccelerator({.cpuinfo = cpuinfo, .kvm = "/dev/kvm"}), Accelerator::kTcg);
}

TEST_F(AcceleratorTest, NoCpuinfoIsTcg) {
  EXPECT_EQ(ProbeAccelerator({.cpuinfo = dir_ + "/none", .kvm = "/dev/kvm"}), Accelerator::kTcg);
}

}  // namespace
}  // namespace kata_cc::shim
