// SPDX-License-Identifier: Apache-2.0
// Go's durations.
#include <utility>

#include "policy/engine/builtins/time_fields.h"
#include "policy/engine/builtins/time_layout.h"

namespace kata_cc::policy {

using time_fields::DigitAt;
using time_fields::GoQuoted;

Result<std::int64_t> ParseDuration(std::string_view text) {
  auto bad = [whole = text](std::string_view what) {
    return Error(Code::kInvalidArgument, "time: " + std::string(what) + GoQuoted(whole));
  };
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 63;
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {
      {"ns", 1},       {"us", 1000},      {"\xC2\xB5s", 1000}, {"\xCE\xBCs", 1000},
      {"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000}};
  std::string_view rest = text;
  bool negative = !rest.empty() && rest[0] == '-';
  if (negative || (!rest.empty() && rest[0] == '+')) rest.remove_prefix(1);
  if (rest == "0") return std::int64_t{0};
  if (rest.empty()) return bad("invalid duration ");
  std::uint64_t total = 0;
  while (!rest.empty()) {
    std::uint64_t whole = 0, fraction = 0;
    long double scale = 1;
    bool digits = false;
    while (DigitAt(rest, 0)) {
      if (whole > kLimit / 10) return bad("invalid duration ");
      whole = whole * 10 + static_cast<std::uint64_t>(rest[0] - '0');
      if (whole > kLimit) return bad("invalid duration ");
      digits = true;
      rest.remove_prefix(1);
    }
    if (!rest.empty() && rest[0] == '.') {
      rest.remove_prefix(1);
      while (DigitAt(rest, 0)) {
        digits = true;
        if (fraction < kLimit / 100) {
          fraction = fraction * 10 + static_cast<std::uint64_t>(rest[0] - '0');
          scale *= 10;
        }
        rest.remove_prefix(1);
      }
    }
    if (!digits) return bad("invalid duration ");
    std::size_t length = 0;
    while (length < rest.size() && rest[length] != '.' && !DigitAt(rest, length))
      ++length;
    std::string_view unit = rest.substr(0, length);
    if (unit.empty()) return bad("missing unit in duration ");
    rest.remove_prefix(length);
    std::uint64_t factor = 0;
    for (const auto& [name, nanoseconds] : kUnits) {
      if (name == unit) factor = nanoseconds;
    }
    if (factor == 0) {
      return bad("unknown unit " + GoQuoted(unit) + " in duration ");
    }
    if (whole > kLimit / factor) return bad("invalid duration ");
    whole *= factor;
    whole += static_cast<std::uint64_t>(static_cast<long double>(fraction) *
                                        (static_cast<long double>(factor) / scale));
    total += whole;
    if (whole > kLimit || total > kLimit) return bad("invalid duration ");
  }
  if (negative) return static_cast<std::int64_t>(~total + 1);
  if (total == kLimit) return bad("invalid duration ");
  return static_cast<std::int64_t>(total);
}

}  // namespace kata_cc::policy
