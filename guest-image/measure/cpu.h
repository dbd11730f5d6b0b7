// SPDX-License-Identifier: Apache-2.0
// CPUID signatures (leaf 1, EAX), which QEMU puts into RDX at reset and so into the measurement.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace kata_cc::measure {

// kInvalidArgument when a number does not fit the signature's fields.
Result<std::uint32_t> CpuSignature(std::uint32_t family, std::uint32_t model,
                                   std::uint32_t stepping);

// Of a QEMU CPU model ("EPYC-v4"); kNotFound for one that is not known.
Result<std::uint32_t> CpuSignature(std::string_view cpu_model);

}  // namespace kata_cc::measure
