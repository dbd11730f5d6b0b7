// SPDX-License-Identifier: Apache-2.0
// kata-ccctl report: what an SNP report says, and whether it is genuine and the expected one.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "proto/snp/verify/amd_roots.h"
#include "proto/snp/verify/appraise.h"
#include "proto/snp/verify/report_json.h"
#include "proto/snp/verify/verify.h"
#include "shim/ctl/commands.h"
#include "shim/ctl/files.h"

namespace kata_cc::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxReportFile = 64 << 10;
constexpr std::size_t kMaxCertFile = 64 << 10;
constexpr std::size_t kMaxCrlFile = 1 << 20;

struct VerifyFlags {
  std::string report, vek, ask, ark, crl, time, reference;
  std::vector<std::string> trusted_arks;
  std::string measurement, host_data, report_data, id_key_digest, author_key_digest, policy,
      min_tcb;
  std::optional<std::uint32_t> min_guest_svn, max_vmpl;
  bool deny_debug = false, deny_migration = false, deny_smt = false;
  bool json = false;
};

template <std::size_t kSize>
Result<void> Expect(const std::string& text, const std::string& what,
                    std::optional<snp::ByteArray<kSize>>& out) {
  if (!text.empty()) out = TRY(ParseHex<kSize>(text, what));
  return {};
}

// "bl=3,tee=0,snp=8,ucode=115,fmc=1": what is not named may be anything.
Result<snp::Expectations::MinTcb> ParseMinTcb(const std::string& text) {
  snp::Expectations::MinTcb tcb;
  for (const std::string& part : CLI::detail::split(text, ',')) {
    const std::size_t sign = part.find('=');
    const std::string name = part.substr(0, sign);
    std::uint8_t* const field = name == "bl"      ? &tcb.bootloader
                                : name == "tee"   ? &tcb.tee
                                : name == "snp"   ? &tcb.snp
                                : name == "ucode" ? &tcb.microcode
                                : name == "fmc"   ? &tcb.fmc
                                                  : nullptr;
    if (field == nullptr || sign == std::string::npos) {
      return Error(Code::kInvalidArgument,
                   "--min-tcb: " + part + ": none of bl=N, tee=N, snp=N, ucode=N, fmc=N");
    }
    const std::uint64_t value = TRY(ParseNumber(part.substr(sign + 1), "--min-tcb"));
    if (value > 0xff) return Error(Code::kInvalidArgument, "--min-tcb: " + part + ": not 0..255");
    *field = static_cast<std::uint8_t>(value);
  }
  return tcb;
}

// What `kata-ccctl measure --pod` prints. A key that is there is expected; other keys explain.
Result<void> AddReference(const std::string& path, snp::Expectations& want) {
  const Bytes text = TRY(ReadFile(path, kMaxReportFile));
  const json reference = json::parse(text, nullptr, false);
  if (!reference.is_object() || !reference.contains("launch_digest")) {
    return Error(Code::kInvalidArgument, path + ": not reference values: no launch_digest");
  }
  const auto string = [&](const char* key) -> Result<std::string> {
    const auto it = reference.find(key);
    if (it == reference.end() || it->is_null()) return std::string();
    if (!it->is_string()) return Error(Code::kInvalidArgument, path + ": " + key + ": no string");
    return it->get<std::string>();
  };
  const std::string digest = TRY(string("launch_digest"));
  TRY(Expect(digest, path + ": launch_digest", want.measurement));
  const std::string host_data = TRY(string("host_data"));
  TRY(Expect(host_data, path + ": host_data", want.host_data));
  const std::string policy = TRY(string("guest_policy"));
  if (!policy.empty()) want.policy = TRY(ParseNumber(policy, path + ": guest_policy"));
  return {};
}

Result<snp::Expectations> ParseExpectations(const VerifyFlags& flags) {
  snp::Expectations want;
  if (!flags.reference.empty()) TRY(AddReference(flags.reference, want));
  TRY(Expect(flags.measurement, "--expect-measurement", want.measurement));
  TRY(Expect(flags.host_data, "--expect-host-data", want.host_data));
  TRY(Expect(flags.report_data, "--expect-report-data", want.report_data));
  TRY(Expect(flags.id_key_digest, "--expect-id-key-digest", want.id_key_digest));
  TRY(Expect(flags.author_key_digest, "--expect-author-key-digest", want.author_key_digest));
  if (!flags.policy.empty()) want.policy = TRY(ParseNumber(flags.policy, "--expect-policy"));
  if (!flags.min_tcb.empty()) want.min_tcb = TRY(ParseMinTcb(flags.min_tcb));
  want.min_guest_svn = flags.min_guest_svn;
  want.max_vmpl = flags.max_vmpl;
  want.deny_debug = flags.deny_debug;
  want.deny_migration = flags.deny_migration;
  want.deny_smt = flags.deny_smt;
  return want;
}

Result<std::vector<snp::Cert>> TrustedRoots(const VerifyFlags& flags) {
  std::vector<snp::Cert> amd = TRY(snp::AmdRoots());
  if (flags.trusted_arks.empty()) return amd;
  std::vector<snp::Cert> roots;
  for (const std::string& path : flags.trusted_arks) {
    roots.push_back(TRY(LoadFile<snp::Cert>(path, kMaxCertFile)));
    const bool from_amd = std::any_of(amd.begin(), amd.end(), [&](const snp::Cert& root) {
      return root.Der() == roots.back().Der();
    });
    if (!from_amd) {
      std::fprintf(stderr, "kata-ccctl report: %s: trusted, but no root of AMD's\n", path.c_str());
    }
  }
  return roots;
}

void Print(const snp::Verdict& verdict, bool as_json) {
  if (as_json) {
    const json parsed = verdict.report ? snp::ReportToJson(*verdict.report) : json();
    const json out = {{"verdict", verdict.valid() ? "valid" : "invalid"},
                      {"failed_checks", verdict.failed_checks},
                      {"parsed", parsed}};
    std::printf("%s\n", out.dump(2).c_str());
    return;
  }
  std::printf("%s\n", verdict.valid() ? "valid" : "invalid");
  for (const std::string& name : verdict.failed_checks)
    std::printf("failed check: %s\n", name.c_str());
}

Result<bool> Verify(const VerifyFlags& flags) {
  const snp::Expectations want = TRY(ParseExpectations(flags));
  const Bytes report = TRY(ReadFile(flags.report, kMaxReportFile));
  const snp::Cert vek = TRY(LoadFile<snp::Cert>(flags.vek, kMaxCertFile));
  const snp::Cert ask = TRY(LoadFile<snp::Cert>(flags.ask, kMaxCertFile));
  const snp::Cert ark = TRY(LoadFile<snp::Cert>(flags.ark, kMaxCertFile));
  const std::vector<snp::Cert> roots = TRY(TrustedRoots(flags));
  std::optional<snp::Crl> crl;
  if (!flags.crl.empty()) crl = TRY(LoadFile<snp::Crl>(flags.crl, kMaxCrlFile));
  const std::time_t time =
      flags.time.empty() ? std::time(nullptr) : TRY_CONTEXT(ParseRfc3339(flags.time), "--time");
  snp::Verdict verdict = snp::VerifyReport({.report = report,
                                            .vek = vek,
                                            .ask = ask,
                                            .ark = ark,
                                            .trusted_arks = roots,
                                            .crl = crl ? &*crl : nullptr,
                                            .time = time});
  if (verdict.report) {
    for (std::string& name : snp::Appraise(*verdict.report, want))
      verdict.failed_checks.push_back(std::move(name));
  }
  Print(verdict, flags.json);
  return verdict.valid();
}

Result<void> Show(const std::string& path) {
  const Bytes bytes = TRY(ReadFile(path, kMaxReportFile));
  const snp::Report report = TRY_CONTEXT(snp::ParseReport(bytes), path);
  std::printf("%s\n", snp::ReportToJson(report).dump(2).c_str());
  return {};
}

int Fail(const Error& error) {
  std::fprintf(stderr, "kata-ccctl report: %s\n", error.message().c_str());
  return kExitUsage;
}

void AddVerify(CLI::App* report, int& exit_code) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* verify = report->add_subcommand("verify", "Whether a report is genuine and expected");
  verify->add_option("--report", flags->report, "Report, 1184 bytes")->required();
  verify->add_option("--vek", flags->vek, "VCEK or VLEK certificate, PEM or DER")->required();
  verify->add_option("--ask", flags->ask, "ASK or ASVK certificate")->required();
  verify->add_option("--ark", flags->ark, "ARK certificate")->required();
  verify->add_option("--trusted-ark", flags->trusted_arks,
                     "Root to trust in place of AMD's; may be repeated");
  verify->add_option("--crl", flags->crl, "Revocation list of the ARK, PEM or DER");
  verify->add_option("--time", flags->time, "Time to judge validity at, RFC 3339 (default: now)");
  verify->add_option("--reference", flags->reference, "Output of kata-ccctl measure --pod");
  verify->add_option("--expect-measurement", flags->measurement, "Launch digest, hexadecimal");
  verify->add_option("--expect-host-data", flags->host_data, "Host data, hexadecimal");
  verify->add_option("--expect-report-data", flags->report_data, "Report data, hexadecimal");
  verify->add_option("--expect-id-key-digest", flags->id_key_digest, "Digest of the ID key");
  verify->add_option("--expect-author-key-digest", flags->author_key_digest,
                     "Digest of the author key");
  verify->add_option("--expect-policy", flags->policy, "Guest policy, all bits");
  verify->add_option("--min-guest-svn", flags->min_guest_svn, "Lowest guest SVN");
  verify->add_option("--max-vmpl", flags->max_vmpl, "Highest VMPL");
  verify->add_option("--min-tcb", flags->min_tcb, "Lowest TCB: bl=N,tee=N,snp=N,ucode=N[,fmc=N]");
  verify->add_flag("--deny-debug", flags->deny_debug, "Refuse a guest that may be debugged");
  verify->add_flag("--deny-migration", flags->deny_migration, "Refuse one that may be migrated");
  verify->add_flag("--deny-smt", flags->deny_smt, "Refuse one on a host with SMT");
  verify->add_flag("--json", flags->json, "Print verdict, failed checks and fields as JSON");
  verify->callback([flags, &exit_code] {
    const Result<bool> valid = Verify(*flags);
    exit_code = !valid ? Fail(valid.error()) : *valid ? 0 : kExitNo;
  });
}

}  // namespace

void AddReportCommands(CLI::App& app, int& exit_code) {
  CLI::App* report = app.add_subcommand("report", "SNP attestation reports");
  report->require_subcommand(1);
  auto path = std::make_shared<std::string>();
  CLI::App* show = report->add_subcommand("show", "Print a report's fields as JSON");
  show->add_option("file", *path, "Report, 1184 bytes")->required();
  show->callback([path, &exit_code] {
    const Result<void> shown = Show(*path);
    if (!shown) exit_code = Fail(shown.error());
  });
  AddVerify(report, exit_code);
}

}  // namespace kata_cc::ctl
