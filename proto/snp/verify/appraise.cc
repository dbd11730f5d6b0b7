// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/appraise.h"

#include <algorithm>

namespace kata_cc::snp {
namespace {

template <typename T>
bool Matches(const std::optional<T>& expected, const T& actual) {
  return !expected || *expected == actual;
}

bool AtLeast(const Expectations::MinTcb& minimum, const Tcb& tcb) {
  return tcb.AtLeast(Tcb::Make(tcb.layout, minimum.fmc, minimum.bootloader, minimum.tee,
                               minimum.snp, minimum.microcode));
}

}  // namespace

std::vector<std::string> Appraise(const Report& report, const Expectations& want) {
  std::vector<std::string> failed;
  const auto require = [&](bool holds, const char* name) {
    if (!holds) failed.emplace_back(name);
  };
  require(Matches(want.measurement, report.measurement), "measurement");
  require(Matches(want.host_data, report.host_data), "host_data");
  require(Matches(want.report_data, report.report_data), "report_data");
  require(Matches(want.id_key_digest, report.id_key_digest), "id_key_digest");
  // The digest means nothing unless the firmware checked the author's signature.
  require(!want.author_key_digest || (report.key_info.author_key_en() &&
                                      *want.author_key_digest == report.author_key_digest),
          "author_key_digest");
  require(Matches(want.family_id, report.family_id), "family_id");
  require(Matches(want.image_id, report.image_id), "image_id");
  require(Matches(want.policy, report.policy.bits), "policy");
  require(report.guest_svn >= want.min_guest_svn.value_or(0), "guest_svn");
  require(report.vmpl <= want.max_vmpl.value_or(0xffffffff), "vmpl");
  require(!want.deny_debug || !report.policy.debug(), "debug");
  require(!want.deny_migration || !report.policy.migrate_ma(), "migration");
  require(!want.deny_smt || (!report.policy.smt() && !report.platform_info.smt_en()), "smt");
  if (want.min_tcb) {
    const Tcb* tcbs[] = {&report.current_tcb, &report.reported_tcb, &report.committed_tcb,
                         &report.launch_tcb};
    const bool all = std::all_of(std::begin(tcbs), std::end(tcbs),
                                 [&](const Tcb* tcb) { return AtLeast(*want.min_tcb, *tcb); });
    require(all, "min_tcb");
  }
  return failed;
}

}  // namespace kata_cc::snp
