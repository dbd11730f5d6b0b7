// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/tcb.h"

namespace kata_cc::snp {
namespace {

bool In(std::uint8_t value, std::uint8_t low, std::uint8_t high) {
  return value >= low && value <= high;
}

}  // namespace

Product ProductOf(std::uint8_t family, std::uint8_t model) {
  if (family == 0x19) {
    if (model <= 0x0f) return Product::kMilan;
    if (In(model, 0x10, 0x1f) || In(model, 0xa0, 0xaf)) return Product::kGenoa;
  }
  if (family == 0x1a) {
    if (model <= 0x11) return Product::kTurin;
    if (In(model, 0x50, 0x57) || In(model, 0x90, 0x9f) || In(model, 0xa0, 0xaf) ||
        In(model, 0xc0, 0xc7)) {
      return Product::kVenice;
    }
  }
  return Product::kUnknown;
}

std::string_view ProductName(Product product) {
  switch (product) {
    case Product::kUnknown:
      break;
    case Product::kMilan:
      return "Milan";
    case Product::kGenoa:
      return "Genoa";
    case Product::kTurin:
      return "Turin";
    case Product::kVenice:
      return "Venice";
  }
  return "";
}

bool Tcb::AtLeast(const Tcb& minimum) const {
  return layout == minimum.layout && fmc().value_or(0) >= minimum.fmc().value_or(0) &&
         bootloader() >= minimum.bootloader() && tee() >= minimum.tee() && snp() >= minimum.snp() &&
         microcode() >= minimum.microcode();
}

}  // namespace kata_cc::snp
