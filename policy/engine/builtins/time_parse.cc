// SPDX-License-Identifier: Apache-2.0
// Reading a time by a layout.
#include <array>
#include <optional>

#include "policy/engine/builtins/time_fields.h"
#include "policy/engine/builtins/time_layout.h"

namespace kata_cc::policy {
namespace {

using namespace time_fields;

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

Result<Instant> ParseTime(std::string_view layout, std::string_view value) {
  return TimeParser(layout, value).Parse();
}

}  // namespace kata_cc::policy
