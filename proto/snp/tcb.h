// SPDX-License-Identifier: Apache-2.0
// TCB_VERSION: the security versions of a chip's firmware. Its eight bytes are laid out in one way
// up to Genoa and in another from Turin on (SEV-SNP firmware ABI, table "TCB_VERSION").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kata_cc::snp {

enum class Product { kUnknown, kMilan, kGenoa, kTurin, kVenice };

// By CPUID family and model, as in a report of version 3 or later. Siena and Bergamo are kGenoa.
Product ProductOf(std::uint8_t family, std::uint8_t model);
std::string_view ProductName(Product product);  // As in certificates; empty for kUnknown.

enum class TcbLayout { kMilan, kTurin };

struct Tcb {
  std::array<std::uint8_t, 8> raw{};
  TcbLayout layout = TcbLayout::kMilan;

  static Tcb Make(TcbLayout layout, std::uint8_t fmc, std::uint8_t bootloader, std::uint8_t tee,
                  std::uint8_t snp, std::uint8_t microcode) {
    if (layout == TcbLayout::kTurin) {
      return {{fmc, bootloader, tee, snp, 0, 0, 0, microcode}, layout};
    }
    return {{bootloader, tee, 0, 0, 0, 0, snp, microcode}, layout};
  }

  bool turin() const { return layout == TcbLayout::kTurin; }
  std::optional<std::uint8_t> fmc() const { return turin() ? std::optional(raw[0]) : std::nullopt; }
  std::uint8_t bootloader() const { return raw[turin() ? 1 : 0]; }
  std::uint8_t tee() const { return raw[turin() ? 2 : 1]; }
  std::uint8_t snp() const { return raw[turin() ? 3 : 6]; }
  std::uint8_t microcode() const { return raw[7]; }

  // Whether each component is at least minimum's. Layouts that differ never compare.
  bool AtLeast(const Tcb& minimum) const;
};

}  // namespace kata_cc::snp
