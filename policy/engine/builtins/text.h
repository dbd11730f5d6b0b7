// SPDX-License-Identifier: Apache-2.0
// UTF-8 as Go sees it, and encodings of bytes as text, for several families of builtins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace kata_cc::policy {

constexpr std::uint32_t kReplacementRune = 0xfffd;

// Bytes of the first character; a byte that starts no valid sequence is one of its own (text is
// not empty).
std::size_t RuneLength(std::string_view text);
// Its code point, kReplacementRune if invalid.
std::uint32_t RuneOf(std::string_view text);
void AppendRune(std::uint32_t rune, std::string& out);
std::size_t CountRunes(std::string_view text);
bool IsUtf8(std::string_view text);
// As text.find(part, from), in time linear in both for any of them.
std::size_t FindText(std::string_view text, std::string_view part, std::size_t from = 0);
// Bytes that are no UTF-8 become U+FFFD.
std::string ValidUtf8(std::string_view text);

bool IsSpaceRune(std::uint32_t rune);  // Unicode's White_Space.
std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);

enum class Base64 { kStandard, kUrl, kUrlNoPadding };
std::string EncodeBase64(std::string_view bytes, Base64 alphabet);
// Errors as Go's: illegal base64 data at input byte N. Line ends are skipped.
Result<std::string> DecodeBase64(std::string_view text, Base64 alphabet);

std::string EncodeHex(std::string_view bytes);
// encoding/hex: invalid byte: U+0067 'g'; encoding/hex: odd length hex string.
Result<std::string> DecodeHex(std::string_view text);

// As Go's strconv.Quote; ascii_only: as QuoteToASCII.
std::string GoQuote(std::string_view text, bool ascii_only = false);

}  // namespace kata_cc::policy
