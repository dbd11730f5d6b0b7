// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/appraise.h"

#include <gtest/gtest.h>

namespace kata_cc::snp {
namespace {

using Names = std::vector<std::string>;

Report Sample() {
  Report report;
  report.policy.bits = GuestPolicy::kDefault;
  report.guest_svn = 2;
  report.measurement.fill(1);
  report.author_key_digest.fill(3);
  report.key_info.bits = 1;
  for (Tcb* tcb :
       {&report.current_tcb, &report.reported_tcb, &report.committed_tcb, &report.launch_tcb}) {
    *tcb = Tcb::Make(TcbLayout::kMilan, 0, 4, 0, 24, 219);
  }
  return report;
}

TEST(AppraiseTest, NothingExpectedNothingFails) {
  EXPECT_EQ(Appraise(Sample(), {}), Names{});
}

TEST(AppraiseTest, EachExpectationHasItsName) {
  Expectations want;
  want.measurement.emplace().fill(1);
  EXPECT_EQ(Appraise(Sample(), want), Names{});
  want.measurement->back() = 0;
  want.host_data.emplace().fill(1);
  want.report_data.emplace().fill(1);
  want.id_key_digest.emplace().fill(1);
  want.author_key_digest.emplace().fill(1);
  want.family_id.emplace().fill(1);
  want.image_id.emplace().fill(1);
  want.policy = 0x20000;
  want.min_guest_svn = 3;
  want.deny_smt = true;
  EXPECT_EQ(Appraise(Sample(), want),
            (Names{"measurement", "host_data", "report_data", "id_key_digest", "author_key_digest",
                   "family_id", "image_id", "policy", "guest_svn", "smt"}));
}

TEST(AppraiseTest, DebugMigrationAndVmplAreRefusedWhenAsked) {
  Report report = Sample();
  report.policy.bits |= 0xc0000;
  report.vmpl = 3;
  EXPECT_EQ(Appraise(report, {}), Names{});
  Expectations want;
  want.deny_debug = want.deny_migration = true;
  want.max_vmpl = 0;
  EXPECT_EQ(Appraise(report, want), (Names{"vmpl", "debug", "migration"}));
}

TEST(AppraiseTest, AnAuthorKeyThatTheFirmwareDidNotCheckDoesNotCount) {
  Report report = Sample();
  Expectations want;
  want.author_key_digest = report.author_key_digest;
  EXPECT_EQ(Appraise(report, want), Names{});
  report.key_info.bits = 0;
  EXPECT_EQ(Appraise(report, want), Names{"author_key_digest"});
}

TEST(AppraiseTest, ARolledBackLaunchTcbIsTooOld) {
  Report report = Sample();
  Expectations want;
  want.min_tcb = Expectations::MinTcb{.bootloader = 4, .snp = 24, .microcode = 219};
  EXPECT_EQ(Appraise(report, want), Names{});
  report.launch_tcb = Tcb::Make(TcbLayout::kMilan, 0, 3, 0, 24, 219);
  EXPECT_EQ(Appraise(report, want), Names{"min_tcb"});
}

}  // namespace
}  // namespace kata_cc::snp
