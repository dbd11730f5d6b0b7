// SPDX-License-Identifier: Apache-2.0
// What the owner of a workload asks of a report that is genuine. Each expectation that is set is
// checked; those that are not say nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/snp/report.h"

namespace kata_cc::snp {

struct Expectations {
  std::optional<ByteArray<48>> measurement;
  std::optional<ByteArray<32>> host_data;
  std::optional<ByteArray<64>> report_data;
  std::optional<ByteArray<48>> id_key_digest, author_key_digest;
  std::optional<ByteArray<16>> family_id, image_id;
  std::optional<std::uint64_t> policy;  // All its bits.
  std::optional<std::uint32_t> min_guest_svn;
  std::optional<std::uint32_t> max_vmpl;
  bool deny_debug = false;
  bool deny_migration = false;
  bool deny_smt = false;
  // Fields at least these, in the current, reported, committed and launch TCB alike.
  struct MinTcb {
    std::uint8_t fmc = 0, bootloader = 0, tee = 0, snp = 0, microcode = 0;
  };
  std::optional<MinTcb> min_tcb;
};

// Names of the expectations that do not hold: measurement, host_data, report_data, id_key_digest,
// author_key_digest, family_id, image_id, policy, guest_svn, vmpl, debug, migration, smt, min_tcb.
std::vector<std::string> Appraise(const Report& report, const Expectations& expectations);

}  // namespace kata_cc::snp
