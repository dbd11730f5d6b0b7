// SPDX-License-Identifier: Apache-2.0
#include "agent/boot/kernel_command_line.h"

#include <gtest/gtest.h>

#include <string>

namespace kata_cc::agent {
namespace {

TEST(KernelCommandLine, IsStrictByDefault) {
  const auto line = ParseKernelCommandLine("console=hvc0 quiet\n");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->tee, Tee::kSnp);
  EXPECT_EQ(line->transport, Transport::kVsock);
}

TEST(KernelCommandLine, TakesItsKeysAndSkipsTheKernels) {
  const auto line = ParseKernelCommandLine(
      "a=\"b kata_cc.tee=snp c\" kata_cc.transport=virtio-serial panic=1 kata_cc.tee=none "
      "\"kata_cc.log=debug\" agent.log=debug");
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->tee, Tee::kNone);
  EXPECT_EQ(line->transport, Transport::kVirtioSerial);
  EXPECT_EQ(line->log_level, LogLevel::kDebug);
}

TEST(KernelCommandLine, NamesTheTee) {
  EXPECT_EQ(ParseKernelCommandLine("kata_cc.tee=sim")->tee, Tee::kSim);
  EXPECT_EQ(ParseKernelCommandLine("kata_cc.tee=snp")->tee, Tee::kSnp);
}

TEST(KernelCommandLine, RefusesWhatItDoesNotKnow) {
  for (const char* text :
       {"kata_cc.tee=simulator", "kata_cc.tee=", "kata_cc.tee", "kata_cc.policy=off", "kata_cc.",
        "kata_cc.tee=none kata_cc.tee=none", "kata_cc.transport=vsock,virtio-serial",
        "kata_cc.tee=\"none\"", "kata_cc.tee=none\x01"}) {
    EXPECT_FALSE(ParseKernelCommandLine(text)) << text;
  }
}

TEST(KernelCommandLine, NamesTheKeyInItsError) {
  const auto line = ParseKernelCommandLine("kata_cc.trasport=vsock");
  ASSERT_FALSE(line);
  EXPECT_EQ(line.error().message(), "kernel command line: kata_cc.trasport: unknown key");
}

TEST(KernelCommandLine, RefusesAnOverlongLine) {
  EXPECT_FALSE(ParseKernelCommandLine(std::string(70'000, 'x')));
}

}  // namespace
}  // namespace kata_cc::agent
