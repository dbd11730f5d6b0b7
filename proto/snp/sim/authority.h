// SPDX-License-Identifier: Apache-2.0
// Authority: the root, intermediate and chip key of one installation's simulator. The certificates
// look like AMD's as far as verification looks at them, and are signed by nobody but themselves: a
// verifier takes them only when it is given this root (kata-ccctl report verify --trusted-ark).
#pragma once

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/snp/cert_table.h"
#include "proto/snp/report.h"
#include "proto/snp/verify/cert.h"

namespace kata_cc::snp::sim {

// What a launch fixes in each of its reports.
struct Launch {
  ByteArray<48> measurement{};
  ByteArray<32> host_data{};
  std::uint64_t policy = GuestPolicy::kDefault;
  ByteArray<32> report_id{};  // Random, of one launch.
};

class Authority {
 public:
  // Seconds: two RSA keys of rsa_bits. AMD's have 4096; tests may have less.
  static Result<Authority> Create(int rsa_bits = 4096);

  // From ark.pem, ask.pem, vcek.pem and vcek.key in dir, which is made with new ones when it does
  // not exist. Several processes may do so at once. The keys of root and intermediate are not kept.
  static Result<Authority> LoadOrCreate(const std::string& dir);

  // The report that this chip's firmware would give.
  Result<ByteArray<kReportSize>> Sign(const Launch& launch, const ByteArray<64>& report_data) const;

  const Cert& ark() const { return ark_; }
  const Cert& ask() const { return ask_; }
  const Cert& vcek() const { return vcek_; }
  std::vector<CertTableEntry> Certificates() const;  // As a host hands them to its guests.

 private:
  Authority(Cert ark, Cert ask, Cert vcek, PKey key)
      : ark_(std::move(ark)), ask_(std::move(ask)), vcek_(std::move(vcek)), key_(std::move(key)) {}
  static Result<Authority> Load(const std::string& dir);
  Result<void> Save(const std::string& dir) const;

  Cert ark_, ask_, vcek_;
  PKey key_;  // Of the VCEK.
};

}  // namespace kata_cc::snp::sim
