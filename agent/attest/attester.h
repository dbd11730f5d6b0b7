// SPDX-License-Identifier: Apache-2.0
// Attester: where the guest's own attestation report comes from: the kernel's configfs-tsm, the
// device /dev/sev-guest, or the simulator. Which one is decided by the measured command line, and
// never falls back.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/boot/kernel_command_line.h"
#include "base/result.h"
#include "proto/snp/cert_table.h"
#include "proto/snp/report.h"

namespace kata_cc::agent {

using ReportData = snp::ByteArray<64>;

struct GuestReport {
  snp::ByteArray<snp::kReportSize> report{};  // As the firmware gave it.
  std::vector<snp::CertTableEntry> certs;     // From the host, unverified; may be empty.
};

class Attester {
 public:
  virtual ~Attester() = default;

  // Any thread; blocks, up to seconds. A report that is not about report_data is an error.
  Result<GuestReport> GetReport(const ReportData& report_data);

  virtual std::string_view name() const = 0;

 protected:
  struct Raw {
    Bytes report;
    Bytes certs;  // A certificate table, or empty.
  };
  virtual Result<Raw> Fetch(const ReportData& report_data) = 0;
};

// Files of the running system, below root ("" is the real one; tests have one of their own).
// sim_socket: a unix socket in place of the simulator's virtio-serial port, for a test on a host.
struct AttesterPlaces {
  std::string root;
  std::string sim_socket;
};

// The one that tee names; null for kNone. kSim and kNone are refused where there is a trace of SEV;
// kSnp is an error where there is no provider of reports.
Result<std::unique_ptr<Attester>> OpenAttester(Tee tee, const AttesterPlaces& places = {});

}  // namespace kata_cc::agent
