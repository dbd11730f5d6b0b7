// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/report.h"

#include <gtest/gtest.h>

#include "proto/snp/id_block.h"

namespace kata_cc::snp {
namespace {

TEST(ReportTest, EveryOtherLengthIsRefused) {
  const Bytes bytes(2 * kReportSize);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ParseReport(ByteView(bytes).first(size)).has_value(), size == kReportSize) << size;
  }
}

Report Sample(std::uint32_t version, CpuId cpuid) {
  Report report;
  report.version = version;
  if (version >= 3) report.cpuid = cpuid;
  report.policy.bits = GuestPolicy::kDefault;
  report.chip_id.fill(7);
  const TcbLayout layout = cpuid.family == 0x1a ? TcbLayout::kTurin : TcbLayout::kMilan;
  if (layout == TcbLayout::kTurin) std::fill(report.chip_id.begin() + 8, report.chip_id.end(), 0);
  for (Tcb* tcb :
       {&report.current_tcb, &report.reported_tcb, &report.committed_tcb, &report.launch_tcb}) {
    *tcb = Tcb::Make(layout, 1, 2, 3, 4, 5);
  }
  report.current_version = {1, 55, 29};
  if (version >= 5) {
    report.launch_mit_vector = 5;
    report.current_mit_vector = 7;
  }
  report.signature_s.fill(9);
  return report;
}

TEST(ReportTest, EachVersionAndTcbLayoutRoundTrips) {
  const CpuId milan{0x19, 1, 1};
  const CpuId genoa{0x19, 0x11, 1};
  const CpuId turin{0x1a, 2, 1};
  for (const std::uint32_t version : {2U, 3U, 4U, 5U}) {
    for (const CpuId& cpuid : {milan, genoa, turin}) {
      const ByteArray<kReportSize> bytes = EncodeReport(Sample(version, cpuid));
      const Result<Report> parsed = ParseReport(bytes);
      ASSERT_TRUE(parsed);
      EXPECT_EQ(EncodeReport(*parsed), bytes);
      EXPECT_EQ(parsed->reported_tcb.turin(), cpuid.family == 0x1a);
      EXPECT_EQ(parsed->reported_tcb.bootloader(), 2);
      EXPECT_EQ(parsed->reported_tcb.microcode(), 5);
      EXPECT_EQ(parsed->reported_tcb.fmc().has_value(), cpuid.family == 0x1a);
      EXPECT_EQ(parsed->launch_mit_vector.has_value(), version >= 5);
      EXPECT_EQ(parsed->current_version.minor, 55);
    }
  }
}

TEST(TcbTest, OneOlderPartIsTooOld) {
  const Tcb minimum = Tcb::Make(TcbLayout::kTurin, 1, 2, 3, 4, 5);
  EXPECT_TRUE(minimum.AtLeast(minimum));
  EXPECT_TRUE(Tcb::Make(TcbLayout::kTurin, 9, 9, 9, 9, 9).AtLeast(minimum));
  EXPECT_FALSE(Tcb::Make(TcbLayout::kTurin, 0, 9, 9, 9, 9).AtLeast(minimum));
  EXPECT_FALSE(Tcb::Make(TcbLayout::kTurin, 9, 9, 9, 9, 4).AtLeast(minimum));
  EXPECT_FALSE(Tcb::Make(TcbLayout::kMilan, 9, 9, 9, 9, 9).AtLeast(minimum));
}

TEST(TcbTest, ProductsAreToldByFamilyAndModel) {
  EXPECT_EQ(ProductOf(0x19, 0x01), Product::kMilan);
  EXPECT_EQ(ProductOf(0x19, 0x11), Product::kGenoa);
  EXPECT_EQ(ProductOf(0x19, 0xa0), Product::kGenoa);
  EXPECT_EQ(ProductOf(0x1a, 0x02), Product::kTurin);
  EXPECT_EQ(ProductOf(0x1a, 0x50), Product::kVenice);
  EXPECT_EQ(ProductOf(0x17, 0x31), Product::kUnknown);
  EXPECT_EQ(ProductOf(0x19, 0x20), Product::kUnknown);
}

TEST(IdBlockTest, BothPagesRoundTrip) {
  IdBlock block;
  block.launch_digest.fill(1);
  block.guest_svn = 3;
  block.policy.bits = 0xb0000;
  EXPECT_EQ(EncodeIdBlock(*ParseIdBlock(EncodeIdBlock(block))), EncodeIdBlock(block));
  IdAuth auth;
  auth.author_key_algorithm = 1;
  auth.id_key_signature.fill(4);
  auth.author_key.fill(5);
  EXPECT_EQ(EncodeIdAuth(*ParseIdAuth(EncodeIdAuth(auth))), EncodeIdAuth(auth));
  EXPECT_FALSE(ParseIdBlock(Bytes(95)));
  EXPECT_FALSE(ParseIdAuth(Bytes(4097)));
}

}  // namespace
}  // namespace kata_cc::snp
