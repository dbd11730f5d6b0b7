// SPDX-License-Identifier: Apache-2.0
// SHA-256 and SHA-384 by OpenSSL's plain functions. They are deprecated in favour of EVP, whose
// start alone (every algorithm's names) takes as long as measuring a firmware image.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "base/bytes.h"

namespace kata_cc::measure {

using Sha256Digest = std::array<std::uint8_t, 32>;
using Sha384Digest = std::array<std::uint8_t, 48>;

// The hash of the parts in a row.
Sha256Digest Sha256(std::initializer_list<ByteView> parts);
Sha384Digest Sha384(std::initializer_list<ByteView> parts);

}  // namespace kata_cc::measure
