// SPDX-License-Identifier: Apache-2.0
// Dates in the proleptic Gregorian calendar, and time zones from the tz database.
// Format of zone files: RFC 8536 (TZif). All functions are pure but LoadZone, which reads one file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kata_cc::policy {

struct CivilTime {
  std::int64_t year = 1970;
  int month = 1;  // 1-12
  int day = 1;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int nanosecond = 0;
};

// Days since 1970-01-01; month and day may be out of range, as in Go's time.Date.
std::int64_t DaysFromCivil(std::int64_t year, std::int64_t month, std::int64_t day);
CivilTime CivilFromSeconds(std::int64_t seconds, int nanosecond);
std::int64_t SecondsFromCivil(const CivilTime& time);
int Weekday(std::int64_t seconds);   // 0 is Sunday.
int YearDay(const CivilTime& time);  // 1-366
int DaysInMonth(std::int64_t year, int month);

struct ZoneOffset {
  int seconds_east = 0;
  std::string abbreviation;
  bool is_utc = false;
};

class TimeZone {
 public:
  TimeZone();  // UTC

  ZoneOffset At(std::int64_t seconds) const;
  // The instant that the zone's clocks show as `local` seconds; as Go's time.Date in a gap or fold.
  std::int64_t FromLocal(std::int64_t local) const;
  // As FromLocal, for a wall time with an abbreviation; false when the zone has no such name.
  bool FindAbbreviation(std::string_view name, std::int64_t local, int* seconds_east) const;

  static Result<TimeZone> ParseTzif(std::string_view bytes);

 private:
  struct Kind {
    int seconds_east;
    bool daylight;
    std::string abbreviation;
  };
  struct Rule;  // Of the POSIX footer.
  ZoneOffset AtFooter(std::int64_t seconds) const;

  bool utc_ = false;
  std::vector<std::int64_t> transitions_;
  std::vector<std::uint8_t> transition_kinds_;
  std::vector<Kind> kinds_;
  std::string footer_;
};

// "" and "UTC" are UTC, "Local" too (no answer may depend on the machine). Other names are
// files below /usr/share/zoneinfo; NotFound when there is none, e.g. in the guest.
Result<TimeZone> LoadZone(std::string_view name);

}  // namespace kata_cc::policy
