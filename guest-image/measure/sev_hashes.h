// SPDX-License-Identifier: Apache-2.0
// The table of kernel hashes that QEMU hands to OVMF for kernel-hashes=on (QEMU
// target/i386/sev.c): the guest's firmware refuses a kernel, initrd or command line that differs.
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.h"
#include "guest-image/measure/digest.h"

namespace kata_cc::measure {

inline constexpr std::size_t kHashTableSize = 176;
using HashTable = std::array<std::uint8_t, kHashTableSize>;

struct KernelHashes {
  Sha256Digest command_line;  // With its final NUL.
  Sha256Digest initrd;
  Sha256Digest kernel;
};

// An empty initrd stands for none, an empty command line likewise: QEMU hashes both so.
KernelHashes HashKernel(ByteView kernel, ByteView initrd, std::string_view command_line);

HashTable BuildHashTable(const KernelHashes& hashes);

}  // namespace kata_cc::measure
