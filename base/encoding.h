// SPDX-License-Identifier: Apache-2.0
// Hex and base64 (RFC 4648), strict: a decoder takes exactly what its encoder can produce.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace kata_cc {

std::string HexEncode(ByteView bytes);           // Lower case.
Result<Bytes> HexDecode(std::string_view text);  // Either case.

std::string Base64Encode(ByteView bytes);  // Standard alphabet, padded.
Result<Bytes> Base64Decode(std::string_view text);

std::string Base64UrlEncode(ByteView bytes);  // URL-safe alphabet, no padding.
Result<Bytes> Base64UrlDecode(std::string_view text);

}  // namespace kata_cc
