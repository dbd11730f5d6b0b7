// SPDX-License-Identifier: Apache-2.0
#include "guest-image/measure/cpu.h"

#include <string>

namespace kata_cc::measure {
namespace {

struct Model {
  std::string_view name;
  std::uint32_t family, model, stepping;
};

// QEMU target/i386/cpu.c, builtin_x86_defs.
constexpr Model kModels[] = {
    {"EPYC", 23, 1, 2},          {"EPYC-v1", 23, 1, 2},       {"EPYC-v2", 23, 1, 2},
    {"EPYC-IBPB", 23, 1, 2},     {"EPYC-v3", 23, 1, 2},       {"EPYC-v4", 23, 1, 2},
    {"EPYC-Rome", 23, 49, 0},    {"EPYC-Rome-v1", 23, 49, 0}, {"EPYC-Rome-v2", 23, 49, 0},
    {"EPYC-Rome-v3", 23, 49, 0}, {"EPYC-Milan", 25, 1, 1},    {"EPYC-Milan-v1", 25, 1, 1},
    {"EPYC-Milan-v2", 25, 1, 1}, {"EPYC-Genoa", 25, 17, 0},   {"EPYC-Genoa-v1", 25, 17, 0},
    {"EPYC-Turin", 26, 0, 0},
};

}  // namespace

Result<std::uint32_t> CpuSignature(std::uint32_t family, std::uint32_t model,
                                   std::uint32_t stepping) {
  if (family > 15 + 255 || model > 255 || stepping > 15) {
    return Error(Code::kInvalidArgument, "cpu: family, model or stepping out of range");
  }
  const std::uint32_t low = family > 15 ? 15 : family;
  return (family - low) << 20 | (model >> 4) << 16 | low << 8 | (model & 15) << 4 | stepping;
}

Result<std::uint32_t> CpuSignature(std::string_view cpu_model) {
  for (const Model& known : kModels) {
    if (known.name == cpu_model) return CpuSignature(known.family, known.model, known.stepping);
  }
  return Error(Code::kNotFound, "cpu: " + std::string(cpu_model) + ": unknown model");
}

}  // namespace kata_cc::measure
