// SPDX-License-Identifier: Apache-2.0
// The fields of Go's reference-time layouts, shared by writing and reading of times.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace kata_cc::policy::time_fields {

inline constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
inline constexpr std::array<std::string_view, 7> kDays = {
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

enum class Field {
  kNone,
  kLongMonth,
  kMonth,
  kNumMonth,
  kZeroMonth,
  kLongWeekday,
  kWeekday,
  kDay,
  kUnderDay,
  kZeroDay,
  kUnderYearDay,
  kZeroYearDay,
  kHour,
  kHour12,
  kZeroHour12,
  kMinute,
  kZeroMinute,
  kSecond,
  kZeroSecond,
  kLongYear,
  kYear,
  kPm,
  kLowerPm,
  kZoneName,
  kOffset,
  kFraction0,
  kFraction9
};

struct Chunk {
  std::string_view prefix;
  Field field = Field::kNone;
  std::string_view text;    // The field as written in the layout.
  std::string_view suffix;  // What follows it.
};

// What the layout begins with, up to and with its first field.
Chunk NextChunk(std::string_view layout);

inline bool DigitAt(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

// As errors show a text.
std::string GoQuoted(std::string_view text);

}  // namespace kata_cc::policy::time_fields
