// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/time_layout.h"

#include <array>
#include <cctype>
#include <cstdio>
#include <optional>
#include <utility>

namespace kata_cc::policy {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};

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

bool DigitAt(std::string_view text, std::size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

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

std::string GoQuoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// Parses one value against one layout; the fields found so far are its members.
class TimeParser {
 public:
  TimeParser(std::string_view layout, std::string_view value)
      : layout_(layout), value_(value), whole_layout_(layout), whole_value_(value) {}

  Result<Instant> Parse() {
    while (true) {
      Chunk chunk = NextChunk(layout_);
      if (!Skip(chunk.prefix)) return Mismatch(value_, chunk.prefix);
      if (chunk.field == Field::kNone) {
        if (!value_.empty()) return Bad("extra text: " + GoQuoted(value_));
        break;
      }
      layout_ = chunk.suffix;
      std::string_view hold = value_;
      if (!Take(chunk)) return Mismatch(hold, chunk.text);
      if (range_ != nullptr) return Bad(std::string(range_) + " out of range");
    }
    return Finish();
  }

 private:
  Error Bad(const std::string& why) const {
    return {Code::kInvalidArgument, "parsing time " + GoQuoted(whole_value_) + ": " + why};
  }
  Error Mismatch(std::string_view value, std::string_view element) const {
    return {Code::kInvalidArgument, "parsing time " + GoQuoted(whole_value_) + " as " +
                                        GoQuoted(whole_layout_) + ": cannot parse " +
                                        GoQuoted(value) + " as " + GoQuoted(element)};
  }

  // A run of spaces in the layout matches a run of spaces of any length, also none at the end.
  bool Skip(std::string_view prefix) {
    while (!prefix.empty()) {
      if (prefix[0] == ' ') {
        if (!value_.empty() && value_[0] != ' ') return false;
        while (!prefix.empty() && prefix[0] == ' ')
          prefix.remove_prefix(1);
        while (!value_.empty() && value_[0] == ' ')
          value_.remove_prefix(1);
        continue;
      }
      if (value_.empty() || value_[0] != prefix[0]) return false;
      prefix.remove_prefix(1);
      value_.remove_prefix(1);
    }
    return true;
  }

  // One or two digits (`fixed`: two).
  bool Number(bool fixed, int* out) {
    if (!DigitAt(value_, 0)) return false;
    if (!DigitAt(value_, 1)) {
      if (fixed) return false;
      *out = value_[0] - '0';
      value_.remove_prefix(1);
      return true;
    }
    return Digits(2, out);
  }
  bool Digits(std::size_t count, int* out) {
    *out = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (!DigitAt(value_, i)) return false;
      *out = *out * 10 + (value_[i] - '0');
    }
    value_.remove_prefix(count);
    return true;
  }
  bool Ranged(bool fixed, int low, int high, const char* what, int* out) {
    if (!Number(fixed, out)) return false;
    if (*out < low || *out > high) range_ = what;
    return true;
  }

  template <std::size_t kSize>
  bool Lookup(const std::array<std::string_view, kSize>& names, std::size_t length, int* index) {
    for (std::size_t i = 0; i < kSize; ++i) {
      std::string_view name = names[i].substr(0, length);
      if (value_.size() < name.size()) continue;
      bool same = true;
      for (std::size_t k = 0; same && k < name.size(); ++k) {
        same = (value_[k] | 0x20) == (name[k] | 0x20);
      }
      if (same) {
        value_.remove_prefix(name.size());
        *index = static_cast<int>(i);
        return true;
      }
    }
    return false;
  }

  void Fraction(std::size_t digits) {
    nanosecond_ = 0;
    for (std::size_t i = 1; i <= 9; ++i) {
      nanosecond_ = nanosecond_ * 10 + (i <= digits ? value_[i] - '0' : 0);
    }
    value_.remove_prefix(digits + 1);
  }
  bool StartsFraction() const {
    return value_.size() >= 2 && (value_[0] == '.' || value_[0] == ',') && DigitAt(value_, 1);
  }

  bool TakeSecond(bool fixed) {
    if (!Ranged(fixed, 0, 59, "second", &time_.second)) return false;
    if (range_ != nullptr || !StartsFraction()) return true;
    Field next = NextChunk(layout_).field;
    if (next == Field::kFraction0 || next == Field::kFraction9) return true;
    std::size_t digits = 0;
    while (DigitAt(value_, digits + 1))
      ++digits;
    Fraction(digits);
    return true;
  }

  bool TakeOffset(std::string_view shape) {
    if (shape[0] == 'Z' && !value_.empty() && value_[0] == 'Z') {
      value_.remove_prefix(1);
      offset_ = 0;
      return true;
    }
    bool colon = shape.find(':') != std::string_view::npos;
    if (value_.size() < shape.size()) return false;
    char sign = value_[0];
    if (sign != '+' && sign != '-') return false;
    value_.remove_prefix(1);
    int parts[3] = {0, 0, 0};
    std::size_t digits = shape.size() - 1 - (colon ? (shape.size() > 7 ? 2 : 1) : 0);
    for (std::size_t i = 0; i < digits / 2; ++i) {
      if (i > 0 && colon) {
        if (value_[0] != ':') return false;
        value_.remove_prefix(1);
      }
      if (!Digits(2, &parts[i])) return false;
    }
    if (parts[0] > 24) range_ = "time zone offset hour";
    if (parts[1] > 60) range_ = "time zone offset minute";
    if (parts[2] > 60) range_ = "time zone offset second";
    int offset = parts[0] * 3600 + parts[1] * 60 + parts[2];
    offset_ = sign == '-' ? -offset : offset;
    return true;
  }

  // [+-]N with N an hour of at most 23; its length, or 0.
  static std::size_t SignedHourLength(std::string_view text) {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return 0;
    std::size_t end = 1;
    int hour = 0;
    while (DigitAt(text, end) && hour < 1000)
      hour = hour * 10 + (text[end++] - '0');
    return end == 1 || hour > 23 ? 0 : end;
  }

  bool TakeZoneName() {
    if (value_.substr(0, 3) == "UTC") {
      value_.remove_prefix(3);
      offset_ = 0;
      return true;
    }
    std::size_t length = 0;
    if (value_.size() < 3) return false;
    if (value_.substr(0, 4) == "ChST" || value_.substr(0, 4) == "MeST") {
      length = 4;
    } else if (value_.substr(0, 3) == "GMT") {
      length = 3 + SignedHourLength(value_.substr(3));
    } else if (value_[0] == '+' || value_[0] == '-') {
      length = SignedHourLength(value_);
    } else {
      while (length < 6 && length < value_.size() && value_[length] >= 'A' &&
             value_[length] <= 'Z') {
        ++length;
      }
      bool good = length == 3 || (length == 5 && value_[4] == 'T') ||
                  (length == 4 && (value_[3] == 'T' || value_.substr(0, 4) == "WITA"));
      if (!good) return false;
    }
    if (length == 0) return false;
    zone_name_ = value_.substr(0, length);
    value_.remove_prefix(length);
    return true;
  }

  bool Take(const Chunk& chunk) {
    int ignored = 0;
    switch (chunk.field) {
      case Field::kYear:
        if (!Digits(2, &ignored)) return false;
        time_.year = ignored + (ignored >= 69 ? 1900 : 2000);
        return true;
      case Field::kLongYear:
        if (!Digits(4, &ignored)) return false;
        time_.year = ignored;
        return true;
      case Field::kMonth:
      case Field::kLongMonth:
        if (!Lookup(kMonths, chunk.field == Field::kMonth ? 3 : 9, &month_)) return false;
        ++month_;
        return true;
      case Field::kNumMonth:
      case Field::kZeroMonth:
        return Ranged(chunk.field == Field::kZeroMonth, 1, 12, "month", &month_);
      case Field::kWeekday:
        return Lookup(kDays, 3, &ignored);
      case Field::kLongWeekday:
        return Lookup(kDays, 9, &ignored);
      case Field::kDay:
      case Field::kUnderDay:
      case Field::kZeroDay:
        if (chunk.field == Field::kUnderDay && !value_.empty() && value_[0] == ' ') {
          value_.remove_prefix(1);
        }
        return Number(chunk.field == Field::kZeroDay, &day_);
      case Field::kUnderYearDay:
      case Field::kZeroYearDay:
        return TakeYearDay(chunk.field == Field::kUnderYearDay);
      case Field::kHour:
        return Ranged(false, 0, 23, "hour", &time_.hour);
      case Field::kHour12:
        return Ranged(false, 0, 12, "hour", &time_.hour);
      case Field::kZeroHour12:
        return Ranged(true, 0, 12, "hour", &time_.hour);
      case Field::kMinute:
        return Ranged(false, 0, 59, "minute", &time_.minute);
      case Field::kZeroMinute:
        return Ranged(true, 0, 59, "minute", &time_.minute);
      case Field::kSecond:
        return TakeSecond(false);
      case Field::kZeroSecond:
        return TakeSecond(true);
      case Field::kPm:
        return TakeHalf("AM", "PM");
      case Field::kLowerPm:
        return TakeHalf("am", "pm");
      case Field::kOffset:
        return TakeOffset(chunk.text);
      case Field::kZoneName:
        return TakeZoneName();
      case Field::kFraction0:
        return TakeFixedFraction(chunk.text.size() - 1);
      case Field::kFraction9:
        return TakeFraction();
      case Field::kNone:
        break;
    }
    return false;
  }

  bool TakeYearDay(bool padded) {
    for (int i = 0; padded && i < 2 && !value_.empty() && value_[0] == ' '; ++i) {
      value_.remove_prefix(1);
    }
    std::size_t digits = 0;
    while (digits < 3 && DigitAt(value_, digits))
      ++digits;
    if (digits == 0 || (!padded && digits < 3)) return false;
    return Digits(digits, &year_day_);
  }

  bool TakeHalf(std::string_view am, std::string_view pm) {
    am_ = value_.substr(0, 2) == am;
    pm_ = value_.substr(0, 2) == pm;
    if (!am_ && !pm_) return false;
    value_.remove_prefix(2);
    return true;
  }

  bool TakeFixedFraction(std::size_t digits) {
    if (value_.size() < digits + 1 || digits > 9 || (value_[0] != '.' && value_[0] != ',')) {
      return false;
    }
    for (std::size_t i = 1; i <= digits; ++i) {
      if (!DigitAt(value_, i)) return false;
    }
    Fraction(digits);
    return true;
  }

  bool TakeFraction() {
    if (!StartsFraction()) return true;
    std::size_t digits = 0;
    while (digits < 9 && DigitAt(value_, digits + 1))
      ++digits;
    Fraction(digits);
    return true;
  }

  Result<Instant> Finish() {
    if (pm_ && time_.hour < 12) time_.hour += 12;
    if (am_ && time_.hour == 12) time_.hour = 0;
    if (year_day_ >= 0) {
      int days = YearDay({time_.year, 12, 31});
      if (year_day_ < 1 || year_day_ > days) return Bad("day-of-year out of range");
      CivilTime by_day =
          CivilFromSeconds((DaysFromCivil(time_.year, 1, 1) + year_day_ - 1) * 86400, 0);
      if (month_ >= 0 && month_ != by_day.month) return Bad("day-of-year does not match month");
      if (day_ >= 0 && day_ != by_day.day) return Bad("day-of-year does not match day");
      month_ = by_day.month;
      day_ = by_day.day;
    }
    time_.month = month_ < 0 ? 1 : month_;
    time_.day = day_ < 0 ? 1 : day_;
    if (time_.day < 1 || time_.day > DaysInMonth(time_.year, time_.month)) {
      return Bad("day out of range");
    }
    std::int64_t seconds = SecondsFromCivil(time_);
    if (offset_) return Instant{seconds - *offset_, nanosecond_};
    if (zone_name_.size() > 3 && zone_name_.substr(0, 3) == "GMT") {
      int hours = 0;
      for (char c : zone_name_.substr(4))
        hours = hours * 10 + (c - '0');
      return Instant{seconds - (zone_name_[3] == '-' ? -hours : hours) * 3600, nanosecond_};
    }
    return Instant{seconds, nanosecond_};
  }

  std::string_view layout_, value_, whole_layout_, whole_value_, zone_name_;
  CivilTime time_{0, 1, 1, 0, 0, 0, 0};
  int month_ = -1, day_ = -1, year_day_ = -1, nanosecond_ = 0;
  bool am_ = false, pm_ = false;
  std::optional<int> offset_;
  const char* range_ = nullptr;
};

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

Result<Instant> ParseTime(std::string_view layout, std::string_view value) {
  return TimeParser(layout, value).Parse();
}

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
