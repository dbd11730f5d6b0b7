// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/kernel_command_line.h"

#include <gtest/gtest.h>

namespace kata_cc::shim {
namespace {

TEST(VmKernelCommandLine, SaysTransportAndTee) {
  VmConfig config;
  const Result<std::string> line = KernelCommandLine(config, Accelerator::kKvm);
  ASSERT_TRUE(line.has_value());
  EXPECT_TRUE(line->starts_with("console=hvc0 quiet "));
  EXPECT_TRUE(line->ends_with(" kata_cc.transport=virtio-serial kata_cc.tee=none"));
  config.tee = Tee::kSim;
  EXPECT_TRUE(KernelCommandLine(config, Accelerator::kKvm)->ends_with(" kata_cc.tee=sim"));
  config.tee = Tee::kSnp;
  config.transport = Transport::kVsock;
  config.kernel_command_line = "  a=b   kata_cc.log=debug ";
  const Result<std::string> snp = KernelCommandLine(config, Accelerator::kKvm);
  ASSERT_TRUE(snp.has_value());
  EXPECT_TRUE(snp->ends_with(" kata_cc.transport=vsock kata_cc.tee=snp a=b kata_cc.log=debug"));
}

TEST(VmKernelCommandLine, AnEmulatedGuestDoesNotMeasureItsClock) {
  const VmConfig config;
  EXPECT_NE(KernelCommandLine(config, Accelerator::kTcg)->find(" clocksource=acpi_pm "),
            std::string::npos);
  EXPECT_EQ(KernelCommandLine(config, Accelerator::kKvm)->find("clocksource="), std::string::npos);
}

TEST(VmKernelCommandLine, BadAdditionsAreRefused) {
  VmConfig config;
  for (const std::string& added :
       {std::string("a\nb"), std::string("\xff"), std::string("kata_cc.tee=none"),
        std::string("\"kata_cc.tee=none\""), std::string("x kata_cc.transport=vsock"),
        std::string(2048, 'x')}) {
    config.kernel_command_line = added;
    const Result<std::string> line = KernelCommandLine(config, Accelerator::kKvm);
    ASSERT_FALSE(line.has_value()) << added;
    EXPECT_EQ(line.error().code(), Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace kata_cc::shim
