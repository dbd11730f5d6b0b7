// SPDX-License-Identifier: Apache-2.0
// Times in text by Go's reference-time layouts ("2006-01-02T15:04:05Z07:00"), and Go's durations.
// Facts: documentation of Go's package time. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "policy/engine/builtins/civil_time.h"

namespace kata_cc::policy {

inline constexpr std::string_view kRfc3339Nano = "2006-01-02T15:04:05.999999999Z07:00";

// The layout that a name of Go's constants (e.g. "RFC1123Z") stands for, else the text itself.
std::string_view NamedLayout(std::string_view name_or_layout);

std::string FormatTime(std::string_view layout, const CivilTime& time, const ZoneOffset& zone);

struct Instant {
  std::int64_t seconds = 0;  // Since 1970, UTC.
  int nanosecond = 0;
};

// A value without a zone is UTC; an unknown abbreviation counts as UTC, as in Go.
// Errors read as Go's: parsing time "..." as "...": cannot parse "..." as "...".
Result<Instant> ParseTime(std::string_view layout, std::string_view value);

// "1h15m30.918s" in nanoseconds.
Result<std::int64_t> ParseDuration(std::string_view text);

}  // namespace kata_cc::policy
