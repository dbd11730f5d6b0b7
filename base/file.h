// SPDX-License-Identifier: Apache-2.0
// Whole files in and out, with a size limit. Blocking; any thread.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc {

// kNotFound, kPermissionDenied as open's errno; kResourceExhausted when it is longer than limit.
Result<Bytes> ReadFile(const std::string& path, std::size_t limit);

// Creates or truncates; mode counts when it creates.
Result<void> WriteFile(const std::string& path, ByteView bytes, unsigned mode = 0644);

}  // namespace kata_cc
