// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/text.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

namespace kata_cc::policy {
namespace {

#include "policy/engine/builtins/case_table.inc"

constexpr std::string_view kHexDigits = "0123456789abcdef";

struct Decoded {
  std::uint32_t rune = kReplacementRune;
  std::size_t length = 1;
  bool valid = false;
};

Decoded Decode(std::string_view text) {
  auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1, true};
  std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return {};
  std::uint32_t rune = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80) return {};
    rune = rune << 6U | (byte & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  if (rune < kSmallest[length] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return {};
  return {rune, length, true};
}

template <std::size_t kSize>
std::uint32_t MapCase(std::uint32_t rune, const CaseRange (&table)[kSize]) {
  const CaseRange* range = std::upper_bound(
      std::begin(table), std::end(table), rune,
      [](std::uint32_t wanted, const CaseRange& entry) { return wanted < entry.first; });
  // Ranges of stride 2 interleave, so the one before may be the right one.
  for (int back = 0; back < 2 && range != std::begin(table); ++back) {
    --range;
    if (rune <= range->last && (rune - range->first) % range->stride == 0) {
      return static_cast<std::uint32_t>(static_cast<std::int32_t>(rune) + range->delta);
    }
  }
  return rune;
}

template <typename Ascii, std::size_t kSize>
std::string Mapped(std::string_view text, Ascii ascii, const CaseRange (&table)[kSize]) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    auto first = static_cast<unsigned char>(text[0]);
    if (first < 0x80) {
      out += ascii(static_cast<char>(first));
      text.remove_prefix(1);
      continue;
    }
    Decoded decoded = Decode(text);
    AppendRune(MapCase(decoded.rune, table), out);
    text.remove_prefix(decoded.length);
  }
  return out;
}

std::string_view Digits(Base64 alphabet) {
  return alphabet == Base64::kStandard
             ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

bool IsPrintable(std::uint32_t rune) {
  if (rune < 0x20 || (rune >= 0x7f && rune < 0xa1) || rune == 0xad) return false;
  if ((rune >= 0x2000 && rune < 0x2010) || (rune >= 0x2028 && rune < 0x2030)) return false;
  if ((rune >= 0x205f && rune < 0x2070) || rune == 0x3000 || rune == 0x1680) return false;
  return !(rune >= 0xe000 && rune < 0xf900) && rune != 0xfeff && (rune & 0xfffeU) != 0xfffe &&
         !(rune >= 0xfff0 && rune < 0xfffc) && rune < 0xe0000;
}

}  // namespace

std::size_t RuneLength(std::string_view text) {
  return Decode(text).length;
}
std::uint32_t RuneOf(std::string_view text) {
  return Decode(text).rune;
}

void AppendRune(std::uint32_t rune, std::string& out) {
  if (rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) rune = kReplacementRune;
  auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  auto tail = [&](unsigned shift) { put(0x80U | (rune >> shift & 0x3fU)); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xc0U | rune >> 6U);
    tail(0);
  } else if (rune < 0x10000) {
    put(0xe0U | rune >> 12U);
    tail(6);
    tail(0);
  } else {
    put(0xf0U | rune >> 18U);
    tail(12);
    tail(6);
    tail(0);
  }
}

std::size_t CountRunes(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count)
    text.remove_prefix(RuneLength(text));
  return count;
}

std::size_t FindText(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  // glibc's takes linear time, std::string_view's does not.
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    Decoded decoded = Decode(text);
    if (!decoded.valid) return false;
    text.remove_prefix(decoded.length);
  }
  return true;
}

std::string ValidUtf8(std::string_view text) {
  if (IsUtf8(text)) return std::string(text);
  std::string out;
  while (!text.empty()) {
    Decoded decoded = Decode(text);
    AppendRune(decoded.rune, out);
    text.remove_prefix(decoded.length);
  }
  return out;
}

bool IsSpaceRune(std::uint32_t rune) {
  return (rune >= 9 && rune <= 13) || rune == 0x20 || rune == 0x85 || rune == 0xa0 ||
         rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200a) || rune == 0x2028 || rune == 0x2029 ||
         rune == 0x202f || rune == 0x205f || rune == 0x3000;
}

std::string ToLower(std::string_view text) {
  auto ascii = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return Mapped(text, ascii, kToLower);
}

std::string ToUpper(std::string_view text) {
  auto ascii = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  return Mapped(text, ascii, kToUpper);
}

std::string EncodeBase64(std::string_view bytes, Base64 alphabet) {
  std::string_view digits = Digits(alphabet);
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8U | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= count) {
        out += digits[group >> (18 - 6 * k) & 63U];
      } else if (alphabet != Base64::kUrlNoPadding) {
        out += '=';
      }
    }
  }
  return out;
}

Result<std::string> DecodeBase64(std::string_view text, Base64 alphabet) {
  auto bad = [](std::size_t at) {
    return Error(Code::kFailedPrecondition,
                 "illegal base64 data at input byte " + std::to_string(at));
  };
  std::string_view digits = Digits(alphabet);
  std::array<std::int8_t, 256> value_of{};
  value_of.fill(-1);
  for (std::size_t i = 0; i < 64; ++i) {
    value_of[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  }
  bool padded = alphabet != Base64::kUrlNoPadding;
  std::string out;
  out.reserve(text.size() / 4 * 3 + 3);
  std::uint32_t group = 0;
  std::size_t held = 0;
  std::size_t at = 0;
  auto skip_ends = [&] {
    while (at < text.size() && (text[at] == '\n' || text[at] == '\r'))
      ++at;
  };
  for (skip_ends(); at < text.size(); skip_ends()) {
    char c = text[at];
    std::int8_t value = value_of[static_cast<unsigned char>(c)];
    if (value >= 0) {
      ++at;
      group = group << 6U | static_cast<std::uint32_t>(value);
      if (++held < 4) continue;
      for (unsigned shift : {16U, 8U, 0U})
        out += static_cast<char>(group >> shift & 0xffU);
      group = 0;
      held = 0;
      continue;
    }
    if (c != '=' || !padded || held < 2) return bad(at);
    ++at;
    if (held == 2) {
      skip_ends();
      if (at == text.size()) return bad(at);
      if (text[at] != '=') return bad(at);
      ++at;
    }
    skip_ends();
    if (at < text.size()) return bad(at);
    break;
  }
  if (held == 0) return out;
  bool complete = padded ? text.find('=') != std::string_view::npos : true;
  if (held == 1 || !complete) return bad(text.size() - held);
  group <<= 6 * (4 - held);
  out += static_cast<char>(group >> 16U & 0xffU);
  if (held == 3) out += static_cast<char>(group >> 8U & 0xffU);
  return out;
}

std::string EncodeHex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    out += kHexDigits[static_cast<unsigned char>(c) >> 4U];
    out += kHexDigits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

Result<std::string> DecodeHex(std::string_view text) {
  std::string out;
  auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    int value = digit(text[i]);
    if (value < 0) {
      auto byte = static_cast<unsigned char>(text[i]);
      std::string shown = "'";
      if (byte >= 0x20 && byte < 0x7f) {
        if (byte == '\'' || byte == '\\') shown += '\\';
        shown += text[i];
      } else {
        AppendRune(byte, shown);
      }
      return Error(Code::kFailedPrecondition, "encoding/hex: invalid byte: U+00" +
                                                  std::string(1, "0123456789ABCDEF"[byte >> 4U]) +
                                                  "0123456789ABCDEF"[byte & 15U] + " " + shown +
                                                  "'");
    }
    if (i % 2 == 0) {
      out.push_back(static_cast<char>(value << 4));
    } else {
      out.back() = static_cast<char>(out.back() | value);
    }
  }
  if (text.size() % 2 != 0) {
    return Error(Code::kFailedPrecondition, "encoding/hex: odd length hex string");
  }
  return out;
}

std::string GoQuote(std::string_view text, bool ascii_only) {
  constexpr std::string_view kShort = "\a\b\f\n\r\t\v";
  constexpr std::string_view kNames = "abfnrtv";
  std::string out = "\"";
  auto hex = [&out](char kind, std::uint32_t value, int width) {
    out += '\\';
    out += kind;
    for (int shift = 4 * (width - 1); shift >= 0; shift -= 4) {
      out += kHexDigits[value >> static_cast<unsigned>(shift) & 15U];
    }
  };
  while (!text.empty()) {
    Decoded decoded = Decode(text);
    auto byte = static_cast<unsigned char>(text[0]);
    std::size_t short_name = kShort.find(text[0]);
    if (!decoded.valid) {
      hex('x', byte, 2);
    } else if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (short_name != std::string_view::npos) {
      out += '\\';
      out += kNames[short_name];
    } else if (decoded.rune < 0x80 ? decoded.rune >= 0x20 && decoded.rune != 0x7f
                                   : !ascii_only && IsPrintable(decoded.rune)) {
      out.append(text.substr(0, decoded.length));
    } else if (decoded.rune < 0x80) {
      hex('x', byte, 2);
    } else {
      decoded.rune < 0x10000 ? hex('u', decoded.rune, 4) : hex('U', decoded.rune, 8);
    }
    text.remove_prefix(decoded.length);
  }
  return out + "\"";
}

}  // namespace kata_cc::policy
