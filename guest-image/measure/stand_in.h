// SPDX-License-Identifier: Apache-2.0
// The firmware that a simulated launch is measured with when none is configured: a fixed image
// that has what a launch digest takes from OVMF (a reset vector for application processors, the
// SEV metadata and the place of the kernel hashes), and no code. Nothing can boot it.
#pragma once

#include "base/bytes.h"

namespace kata_cc::measure {

// Always the same 8 KiB; docs/attestation.md has their SHA-256.
Bytes StandInFirmware();

}  // namespace kata_cc::measure
