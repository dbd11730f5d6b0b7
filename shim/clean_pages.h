// SPDX-License-Identifier: Apache-2.0
// Gives back the memory of a process that has little to do for weeks: starting touches most pages
// of some fifty libraries (libvirt's), running touches few of them again.
#pragma once

#include <cstddef>

#include "base/result.h"

namespace kata_cc::shim {

// Resident bytes of this process that come from files, by /proc/self/statm.
Result<std::size_t> ResidentFileBytes();

// Drops the pages of read-only file mappings that were never written to; what is needed again is
// read back from the page cache. Any thread, at any time.
Result<void> DropCleanPages();

}  // namespace kata_cc::shim
