// SPDX-License-Identifier: Apache-2.0
// Bit fields of a report: the guest policy that the launch set, what the platform says of itself,
// and which key signed. Source: SEV-SNP firmware ABI, "Guest Policy" and "ATTESTATION_REPORT".
#pragma once

#include <cstdint>

namespace kata_cc::snp {

struct GuestPolicy {
  std::uint64_t bits = 0;

  // SMT allowed, reserved bit set, all else off: what a launch asks for by default.
  static constexpr std::uint64_t kDefault = 0x30000;

  bool Bit(unsigned n) const { return (bits >> n & 1) != 0; }
  std::uint8_t abi_minor() const { return static_cast<std::uint8_t>(bits); }
  std::uint8_t abi_major() const { return static_cast<std::uint8_t>(bits >> 8); }
  bool smt() const { return Bit(16); }
  bool reserved_bit17() const { return Bit(17); }  // Must be one.
  bool migrate_ma() const { return Bit(18); }
  bool debug() const { return Bit(19); }
  bool single_socket() const { return Bit(20); }
  bool cxl_allow() const { return Bit(21); }
  bool mem_aes_256_xts() const { return Bit(22); }
  bool rapl_dis() const { return Bit(23); }
  bool ciphertext_hiding() const { return Bit(24); }
  bool page_swap_disable() const { return Bit(25); }
};

// Unknown bits count for nothing: real Turin reports set bit 6.
struct PlatformInfo {
  std::uint64_t bits = 0;

  bool Bit(unsigned n) const { return (bits >> n & 1) != 0; }
  bool smt_en() const { return Bit(0); }
  bool tsme_en() const { return Bit(1); }
  bool ecc_en() const { return Bit(2); }
  bool rapl_dis() const { return Bit(3); }
  bool ciphertext_hiding_en() const { return Bit(4); }
  bool alias_check_complete() const { return Bit(5); }
  bool tio_en() const { return Bit(7); }
};

struct KeyInfo {
  std::uint32_t bits = 0;

  static constexpr unsigned kVcek = 0;
  static constexpr unsigned kVlek = 1;
  static constexpr unsigned kNone = 7;

  bool author_key_en() const { return (bits & 1) != 0; }
  bool mask_chip_key() const { return (bits >> 1 & 1) != 0; }
  unsigned signing_key() const { return bits >> 2 & 7; }
};

}  // namespace kata_cc::snp
