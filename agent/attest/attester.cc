// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/attester.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/attest/sev_guest.h"
#include "agent/attest/sim.h"
#include "agent/attest/tsm.h"
#include "base/log.h"

namespace kata_cc::agent {
namespace {

constexpr const char* kTsmReports = "/sys/kernel/config/tsm/report";
constexpr const char* kSevGuest = "/dev/sev-guest";

// What a kernel shows only inside an SEV-SNP guest, or one that can make reports.
constexpr std::array kTracesOfSev = {
    "/sys/devices/system/cpu/sev",     kSevGuest,
    "/sys/class/misc/sev-guest",       "/sys/bus/platform/devices/sev-guest",
    "/sys/devices/platform/sev-guest",
};

bool Exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<void> RefuseSev(const std::string& root, const std::string& tee) {
  for (const char* trace : kTracesOfSev) {
    if (Exists(root + trace)) {
      return Error(Code::kFailedPrecondition,
                   "kata_cc.tee=" + tee + " in a guest that has " + trace);
    }
  }
  return {};
}

Result<std::unique_ptr<Attester>> OpenSnp(const std::string& root) {
  if (Exists(root + kTsmReports)) return TsmAttester(TsmDirectory(root + kTsmReports));
  if (Exists(root + kSevGuest)) return SevGuestAttester(TRY(OpenSevGuest(root + kSevGuest)));
  return Error(Code::kUnavailable, std::string("no provider of SEV-SNP reports: neither ") +
                                       kTsmReports + " nor " + kSevGuest);
}

}  // namespace

Result<GuestReport> Attester::GetReport(const ReportData& report_data) {
  const std::string what = "report from " + std::string(name());
  const Raw raw = TRY_CONTEXT(Fetch(report_data), what);
  const snp::Report report = TRY_CONTEXT(snp::ParseReport(raw.report), what);
  if (report.report_data != report_data) {
    return Error(Code::kDataLoss, what + ": it is about other report data");
  }
  GuestReport out;
  std::copy(raw.report.begin(), raw.report.end(), out.report.begin());
  // The certificates are the host's and an aid to verifiers, who can get them elsewhere.
  Result<std::vector<snp::CertTableEntry>> certs = snp::ParseCertTable(raw.certs);
  if (certs) {
    out.certs = *std::move(certs);
  } else {
    Log(LogLevel::kWarn, "the host's certificates are dropped",
        {{field::kError, certs.error().message()}});
  }
  return out;
}

Result<std::unique_ptr<Attester>> OpenAttester(Tee tee, const AttesterPlaces& places) {
  switch (tee) {
    case Tee::kSnp:
      return TRY_CONTEXT(OpenSnp(places.root), "attestation");
    case Tee::kSim: {
      TRY_CONTEXT(RefuseSev(places.root, "sim"), "attestation");
      Log(LogLevel::kWarn,
          "THE TEE OF THIS GUEST IS SIMULATED: nothing in it is confidential, and its reports are "
          "signed by a test key");
      UniqueFd port = TRY_CONTEXT(places.sim_socket.empty() ? OpenSimPort(places.root)
                                                            : ConnectSimSocket(places.sim_socket),
                                  "attestation");
      return SimAttester(std::move(port));
    }
    case Tee::kNone:
      break;
  }
  TRY_CONTEXT(RefuseSev(places.root, "none"), "attestation");
  return std::unique_ptr<Attester>();
}

}  // namespace kata_cc::agent
