// SPDX-License-Identifier: Apache-2.0
#include "shim/sim/simulator.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "proto/snp/sim/wire.h"
#include "proto/snp/verify/verify.h"

namespace kata_cc::shim {
namespace {

namespace sim = snp::sim;

class SimulatorTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    ASSERT_TRUE(WriteFile(dir_ + "/kernel", AsBytes("kernel")));
    ASSERT_TRUE(WriteFile(dir_ + "/initrd", AsBytes("initrd")));
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  SimLaunch Inputs() const {
    SimLaunch launch;
    launch.kernel = dir_ + "/kernel";
    launch.initrd = dir_ + "/initrd";
    launch.command_line = "quiet";
    return launch;
  }
  std::string dir_ = testing::TempDir() + "simulator-XXXXXX";
};

TEST_F(SimulatorTest, EachLaunchInputIsInTheReport) {
  const sim::Launch base = *MeasureSimLaunch(Inputs());
  EXPECT_EQ(MeasureSimLaunch(Inputs())->measurement, base.measurement);
  EXPECT_NE(MeasureSimLaunch(Inputs())->report_id, base.report_id);
  SimLaunch other = Inputs();
  other.command_line = "quiet ";
  EXPECT_NE(MeasureSimLaunch(other)->measurement, base.measurement);
  other = Inputs();
  other.vcpus = 2;
  EXPECT_NE(MeasureSimLaunch(other)->measurement, base.measurement);
  other = Inputs();
  other.host_data.fill(1);
  EXPECT_EQ(MeasureSimLaunch(other)->host_data, other.host_data);
  ASSERT_TRUE(WriteFile(dir_ + "/initrd", AsBytes("another")));
  EXPECT_NE(MeasureSimLaunch(Inputs())->measurement, base.measurement);
  other.firmware = dir_ + "/kernel";
  EXPECT_FALSE(MeasureSimLaunch(other));  // No firmware at all.
  other.firmware = dir_ + "/none";
  EXPECT_FALSE(MeasureSimLaunch(other));
}

TEST_F(SimulatorTest, AnswersOnItsThreadAndEndsWithTheStream) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  UniqueFd guest(fds[1]);
  const sim::Authority authority = *sim::Authority::Create(2048);
  const snp::Cert ark = *snp::Cert::Load(authority.ark().Der());
  {
    Simulator simulator(*sim::Authority::Create(2048), {});
    simulator.Start(UniqueFd(fds[0]));
    for (std::uint64_t n = 1; n < 4; ++n) {
      sim::Request request{n, {}};
      request.report_data.fill(static_cast<std::uint8_t>(n));
      const auto bytes = sim::EncodeRequest(request);
      ASSERT_EQ(::write(guest.get(), bytes.data(), bytes.size()),
                static_cast<ssize_t>(bytes.size()));
      Bytes head(sim::kResponseHeaderSize);
      ASSERT_EQ(::recv(guest.get(), head.data(), head.size(), MSG_WAITALL),
                static_cast<ssize_t>(head.size()));
      const auto header = sim::ParseResponseHeader(head);
      ASSERT_TRUE(header);
      EXPECT_EQ(header->sequence, n);
      ASSERT_EQ(header->status, 0U);
      Bytes payload(header->length);
      ASSERT_EQ(::recv(guest.get(), payload.data(), payload.size(), MSG_WAITALL),
                static_cast<ssize_t>(payload.size()));
      const ByteView report = ByteView(payload).first(snp::kReportSize);
      EXPECT_EQ(snp::ParseReport(report)->report_data, request.report_data);
      EXPECT_EQ(snp::ParseCertTable(ByteView(payload).subspan(snp::kReportSize))->size(), 3U);
    }
  }  // Joined: the destructor returns though the guest's end is open.
  char byte = 0;
  EXPECT_EQ(::read(guest.get(), &byte, 1), 0);
}

TEST_F(SimulatorTest, GarbageEndsTheStream) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const UniqueFd host(fds[0]);
  UniqueFd guest(fds[1]);
  const Simulator simulator(*sim::Authority::Create(2048), {});
  const Bytes garbage(sim::kRequestSize, 'x');
  ASSERT_EQ(::write(guest.get(), garbage.data(), garbage.size()),
            static_cast<ssize_t>(garbage.size()));
  EXPECT_FALSE(simulator.Serve(host.get()));
  ASSERT_EQ(::write(guest.get(), garbage.data(), 10), 10);
  guest.Reset();
  EXPECT_EQ(simulator.Serve(host.get()).error().code(), Code::kDataLoss);
  EXPECT_TRUE(simulator.Serve(host.get()));  // At its end.
}

}  // namespace
}  // namespace kata_cc::shim
