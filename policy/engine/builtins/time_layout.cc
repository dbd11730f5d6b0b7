// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/time_layout.h"

#include <algorithm>
#include <utility>

#include "policy/engine/builtins/time_fields.h"

namespace kata_cc::policy {
namespace time_fields {
namespace {

struct FixedField {
  std::string_view text;
  Field field;
};

// Longest first where one is the beginning of another.
constexpr FixedField kFixed[] = {{"January", Field::kLongMonth},
                                 {"Monday", Field::kLongWeekday},
                                 {"MST", Field::kZoneName},
                                 {"002", Field::kZeroYearDay},
                                 {"01", Field::kZeroMonth},
                                 {"02", Field::kZeroDay},
                                 {"03", Field::kZeroHour12},
                                 {"04", Field::kZeroMinute},
                                 {"05", Field::kZeroSecond},
                                 {"06", Field::kYear},
                                 {"15", Field::kHour},
                                 {"1", Field::kNumMonth},
                                 {"2006", Field::kLongYear},
                                 {"2", Field::kDay},
                                 {"__2", Field::kUnderYearDay},
                                 {"3", Field::kHour12},
                                 {"4", Field::kMinute},
                                 {"5", Field::kSecond},
                                 {"PM", Field::kPm},
                                 {"pm", Field::kLowerPm},
                                 {"-070000", Field::kOffset},
                                 {"-07:00:00", Field::kOffset},
                                 {"-0700", Field::kOffset},
                                 {"-07:00", Field::kOffset},
                                 {"-07", Field::kOffset},
                                 {"Z070000", Field::kOffset},
                                 {"Z07:00:00", Field::kOffset},
                                 {"Z0700", Field::kOffset},
                                 {"Z07:00", Field::kOffset},
                                 {"Z07", Field::kOffset}};

// The field that starts at `at`, if one does; its length in *length.
Field FieldAt(std::string_view layout, std::size_t at, std::size_t* length) {
  std::string_view rest = layout.substr(at);
  for (const FixedField& fixed : kFixed) {
    if (rest.substr(0, fixed.text.size()) == fixed.text) {
      *length = fixed.text.size();
      return fixed.field;
    }
  }
  bool lower_follows = rest.size() > 3 && rest[3] >= 'a' && rest[3] <= 'z';
  *length = 3;
  if (rest.substr(0, 3) == "Jan" && !lower_follows) return Field::kMonth;
  if (rest.substr(0, 3) == "Mon" && !lower_follows) return Field::kWeekday;
  if (rest.substr(0, 2) == "_2" && rest.substr(0, 5) != "_2006") {
    *length = 2;
    return Field::kUnderDay;
  }
  if ((rest[0] == '.' || rest[0] == ',') && rest.size() > 1 && (rest[1] == '0' || rest[1] == '9')) {
    std::size_t end = 1;
    while (end < rest.size() && rest[end] == rest[1])
      ++end;
    if (!DigitAt(rest, end)) {
      *length = end;
      return rest[1] == '0' ? Field::kFraction0 : Field::kFraction9;
    }
  }
  return Field::kNone;
}

}  // namespace

Chunk NextChunk(std::string_view layout) {
  for (std::size_t at = 0; at < layout.size(); ++at) {
    std::size_t length = 0;
    Field field = FieldAt(layout, at, &length);
    if (field != Field::kNone) {
      return {layout.substr(0, at), field, layout.substr(at, length), layout.substr(at + length)};
    }
  }
  return {layout, Field::kNone, {}, {}};
}

std::string GoQuoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace time_fields

namespace {

using namespace time_fields;

std::string Padded(std::int64_t value, int width, char fill = '0') {
  bool negative = value < 0;
  std::string digits = std::to_string(negative ? -value : value);
  if (static_cast<int>(digits.size()) < width) {
    digits.insert(0, static_cast<std::size_t>(width) - digits.size(), fill);
  }
  return negative ? "-" + digits : digits;
}

std::string OffsetText(std::string_view shape, int seconds_east) {
  if (shape[0] == 'Z' && seconds_east == 0) return "Z";
  int absolute = seconds_east < 0 ? -seconds_east : seconds_east;
  std::string text(1, seconds_east < 0 ? '-' : '+');
  bool colon = shape.find(':') != std::string_view::npos;
  std::string_view separator = colon ? ":" : "";
  std::size_t digits = shape.size() - 1 - (colon ? (shape.size() > 7 ? 2 : 1) : 0);
  text += Padded(absolute / 3600, 2);
  if (digits >= 4) text.append(separator).append(Padded(absolute / 60 % 60, 2));
  if (digits >= 6) text.append(separator).append(Padded(absolute % 60, 2));
  return text;
}

std::string FractionText(std::string_view shape, int nanosecond) {
  std::string digits = Padded(nanosecond, 9);
  digits.resize(std::min<std::size_t>(shape.size() - 1, 9));
  if (shape[1] == '9') {
    while (!digits.empty() && digits.back() == '0')
      digits.pop_back();
    if (digits.empty()) return "";
  }
  return shape[0] + digits;
}

std::string FieldText(const Chunk& chunk, const CivilTime& time, const ZoneOffset& zone) {
  int hour12 = time.hour % 12 == 0 ? 12 : time.hour % 12;
  std::string_view month = kMonths[static_cast<std::size_t>(time.month - 1)];
  std::string_view day = kDays[static_cast<std::size_t>(Weekday(SecondsFromCivil(time)))];
  switch (chunk.field) {
    case Field::kLongMonth:
      return std::string(month);
    case Field::kMonth:
      return std::string(month.substr(0, 3));
    case Field::kNumMonth:
      return std::to_string(time.month);
    case Field::kZeroMonth:
      return Padded(time.month, 2);
    case Field::kLongWeekday:
      return std::string(day);
    case Field::kWeekday:
      return std::string(day.substr(0, 3));
    case Field::kDay:
      return std::to_string(time.day);
    case Field::kUnderDay:
      return Padded(time.day, 2, ' ');
    case Field::kZeroDay:
      return Padded(time.day, 2);
    case Field::kUnderYearDay:
      return Padded(YearDay(time), 3, ' ');
    case Field::kZeroYearDay:
      return Padded(YearDay(time), 3);
    case Field::kHour:
      return Padded(time.hour, 2);
    case Field::kHour12:
      return std::to_string(hour12);
    case Field::kZeroHour12:
      return Padded(hour12, 2);
    case Field::kMinute:
      return std::to_string(time.minute);
    case Field::kZeroMinute:
      return Padded(time.minute, 2);
    case Field::kSecond:
      return std::to_string(time.second);
    case Field::kZeroSecond:
      return Padded(time.second, 2);
    case Field::kLongYear:
      return Padded(time.year, 4);
    case Field::kYear:
      return Padded((time.year % 100 + 100) % 100, 2);
    case Field::kPm:
      return time.hour >= 12 ? "PM" : "AM";
    case Field::kLowerPm:
      return time.hour >= 12 ? "pm" : "am";
    case Field::kZoneName:
      return zone.abbreviation;
    case Field::kOffset:
      return OffsetText(chunk.text, zone.seconds_east);
    case Field::kFraction0:
    case Field::kFraction9:
      return FractionText(chunk.text, time.nanosecond);
    case Field::kNone:
      break;
  }
  return "";
}

}  // namespace

std::string_view NamedLayout(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kNamed[] = {
      {"ANSIC", "Mon Jan _2 15:04:05 2006"},
      {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
      {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"},
      {"RFC822", "02 Jan 06 15:04 MST"},
      {"RFC822Z", "02 Jan 06 15:04 -0700"},
      {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
      {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
      {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
      {"RFC3339", "2006-01-02T15:04:05Z07:00"},
      {"RFC3339Nano", kRfc3339Nano}};
  for (const auto& [known, layout] : kNamed) {
    if (known == name) return layout;
  }
  return name;
}

std::string FormatTime(std::string_view layout, const CivilTime& time, const ZoneOffset& zone) {
  std::string out;
  while (true) {
    Chunk chunk = NextChunk(layout);
    out += chunk.prefix;
    if (chunk.field == Field::kNone) return out;
    out += FieldText(chunk, time, zone);
    layout = chunk.suffix;
  }
}

}  // namespace kata_cc::policy
