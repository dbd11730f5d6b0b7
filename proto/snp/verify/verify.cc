// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/verify.h"

#include <algorithm>

namespace kata_cc::snp {
namespace {

class Rules {
 public:
  void Require(bool holds, const char* name) {
    if (!holds) failed_.emplace_back(name);
  }
  std::vector<std::string> failed() && { return std::move(failed_); }

 private:
  std::vector<std::string> failed_;
};

bool IsZero(ByteView bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

void CheckFields(Rules& rules, const Report& report) {
  const unsigned key = report.key_info.signing_key();
  rules.Require(report.version >= 2 && report.version <= 5, "version");
  rules.Require(report.version < 3 || report.product() != Product::kUnknown, "unknown_cpu");
  rules.Require(report.signature_algorithm == 1, "sig_algo");
  rules.Require(report.policy.reserved_bit17(), "policy_reserved_bit17");
  rules.Require(!report.key_info.mask_chip_key() && key != KeyInfo::kNone, "unsigned_report");
  rules.Require(key == KeyInfo::kVcek || key == KeyInfo::kVlek || key == KeyInfo::kNone,
                "signing_key_reserved");
}

void CheckChain(Rules& rules, const VerifyInputs& inputs) {
  const Bytes ark = inputs.ark.Der();
  const bool pinned = std::any_of(inputs.trusted_arks.begin(), inputs.trusted_arks.end(),
                                  [&](const Cert& trusted) { return trusted.Der() == ark; });
  rules.Require(pinned, "ark_not_pinned");
  rules.Require(inputs.ark.SignedBy(inputs.ark), "ark_self_sig");
  rules.Require(inputs.ask.SignedBy(inputs.ark), "ask_sig");
  rules.Require(inputs.vek.SignedBy(inputs.ask), "vek_sig");
  rules.Require(inputs.ark.is_ca(), "ark_not_ca");
  rules.Require(inputs.ask.is_ca(), "ask_not_ca");
  if (inputs.time) {
    rules.Require(inputs.ark.ValidAt(*inputs.time), "ark_validity");
    rules.Require(inputs.ask.ValidAt(*inputs.time), "ask_validity");
    rules.Require(inputs.vek.ValidAt(*inputs.time), "vek_validity");
  }
  if (inputs.crl == nullptr) return;
  // A list that is not AMD's, or is out of date, says nothing about serials.
  if (!inputs.crl->SignedBy(inputs.ark)) return rules.Require(false, "crl_sig");
  if (inputs.time && !inputs.crl->ValidAt(*inputs.time)) {
    return rules.Require(false, "crl_validity");
  }
  rules.Require(!inputs.crl->Revokes(inputs.ask), "ask_revoked");
  rules.Require(!inputs.crl->Revokes(inputs.vek), "vek_revoked");
}

void CheckSignature(Rules& rules, ByteView report, const Cert& vek) {
  const ByteView signature = report.subspan(kSignedSize);
  rules.Require(IsZero(signature.subspan(2 * kScalarSize)), "sig_reserved_nonzero");
  rules.Require(VerifyP384(vek.public_key(), signature.first(kScalarSize),
                           signature.subspan(kScalarSize, kScalarSize), report.first(kSignedSize)),
                "report_sig");
}

// The key is certified for a TCB, a product and a chip: they must be the report's.
void CheckBinding(Rules& rules, const Report& report, const Cert& vek) {
  Result<CertExtensions> parsed = vek.Extensions();
  rules.Require(parsed.has_value(), "vek_ext_encoding");
  const CertExtensions extensions = parsed ? *std::move(parsed) : CertExtensions{};
  const unsigned key = report.key_info.signing_key();
  const std::string name = vek.common_name();
  if (key == KeyInfo::kVcek) rules.Require(name == "SEV-VCEK", "vek_cn_vs_signing_key");
  if (key == KeyInfo::kVlek) rules.Require(name == "SEV-VLEK", "vek_cn_vs_signing_key");

  const Tcb& tcb = report.reported_tcb;
  rules.Require(extensions.bootloader == tcb.bootloader(), "tcb_bootloader");
  rules.Require(extensions.tee == tcb.tee(), "tcb_tee");
  rules.Require(extensions.snp == tcb.snp(), "tcb_snp");
  rules.Require(extensions.microcode == tcb.microcode(), "tcb_microcode");
  if (tcb.fmc()) rules.Require(extensions.fmc == *tcb.fmc(), "tcb_fmc");

  if (report.product() != Product::kUnknown) {
    const std::string product = extensions.product.value_or("");  // "Milan-B0": with a stepping.
    rules.Require(product.substr(0, product.find('-')) == ProductName(report.product()), "product");
  }
  if (key != KeyInfo::kVcek) return;
  if (!extensions.hwid) return rules.Require(false, "hwid_missing");
  const Bytes& hwid = *extensions.hwid;
  const ByteView chip(report.chip_id);
  const bool fits = hwid.size() == 8 || hwid.size() == chip.size();
  rules.Require(fits && std::equal(hwid.begin(), hwid.end(), chip.begin()) &&
                    IsZero(chip.subspan(fits ? hwid.size() : 0)),
                "chip_id");
}

}  // namespace

Verdict VerifyReportByKey(ByteView report, const Cert& vek) {
  const Result<Report> parsed = ParseReport(report);
  if (!parsed) return {{"parse:" + parsed.error().message()}, std::nullopt};
  Rules rules;
  CheckFields(rules, *parsed);
  CheckSignature(rules, report, vek);
  CheckBinding(rules, *parsed, vek);
  return {std::move(rules).failed(), *parsed};
}

Verdict VerifyReport(const VerifyInputs& inputs) {
  Verdict verdict = VerifyReportByKey(inputs.report, inputs.vek);
  if (!verdict.report) return verdict;
  Rules rules;
  CheckChain(rules, inputs);
  for (std::string& name : std::move(rules).failed()) {
    verdict.failed_checks.push_back(std::move(name));
  }
  return verdict;
}

}  // namespace kata_cc::snp
