// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/civil_time.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>

namespace kata_cc::policy {
namespace {

constexpr std::int64_t kDaySeconds = 86400;
constexpr std::size_t kMaxZoneBytes = 1U << 20;
// Seconds east of UTC that RFC 8536 allows.
constexpr std::int64_t kLeastOffset = -89999, kMostOffset = 93599;

std::int64_t FloorDiv(std::int64_t value, std::int64_t by) {
  return value / by - (value % by < 0 ? 1 : 0);
}

bool IsLeap(std::int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Reads big-endian integers of a TZif block; every read is checked.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  bool Take(std::size_t size, std::string_view* out) {
    if (bytes_.size() < size) return false;
    *out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }
  std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

std::int64_t BigEndian(std::string_view bytes) {
  std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (char c : bytes)
    value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

struct TzifHeader {
  char version = 0;
  std::array<std::size_t, 6> counts{};  // isutc, isstd, leap, time, type, char
  std::size_t BlockSize(std::size_t time_size) const {
    return counts[3] * (time_size + 1) + counts[4] * 6 + counts[5] + counts[2] * (time_size + 4) +
           counts[1] + counts[0];
  }
};

std::optional<TzifHeader> ReadHeader(Bytes& bytes) {
  std::string_view raw;
  if (!bytes.Take(44, &raw) || raw.substr(0, 4) != "TZif") return std::nullopt;
  TzifHeader header;
  header.version = raw[4];
  for (std::size_t i = 0; i < 6; ++i) {
    std::int64_t count = BigEndian(raw.substr(20 + 4 * i, 4));
    if (count < 0 || count > 100000) return std::nullopt;
    header.counts[i] = static_cast<std::size_t>(count);
  }
  return header;
}

// The pieces of a POSIX TZ string: std offset [dst [offset] , start , end].
class FooterParser {
 public:
  explicit FooterParser(std::string_view text) : text_(text) {}

  bool Name(std::string* name) {
    if (Eat('<')) {
      std::size_t end = text_.find('>');
      if (end == std::string_view::npos) return false;
      *name = text_.substr(0, end);
      text_.remove_prefix(end + 1);
      return true;
    }
    std::size_t length = 0;
    while (length < text_.size() && std::isalpha(static_cast<unsigned char>(text_[length])) != 0) {
      ++length;
    }
    *name = text_.substr(0, length);
    text_.remove_prefix(length);
    return length >= 3;
  }
  bool Time(int* seconds) {
    int sign = Eat('-') ? -1 : 1;
    if (sign == 1) Eat('+');
    int part = 0;
    if (!Number(&part)) return false;
    int total = part * 3600;
    if (Eat(':')) {
      if (!Number(&part)) return false;
      total += part * 60;
      if (Eat(':')) {
        if (!Number(&part)) return false;
        total += part;
      }
    }
    *seconds = sign * total;
    return true;
  }
  bool Number(int* value) {
    if (text_.empty() || std::isdigit(static_cast<unsigned char>(text_[0])) == 0) return false;
    *value = 0;
    while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_[0])) != 0) {
      *value = *value * 10 + (text_[0] - '0');
      if (*value > 100000) return false;
      text_.remove_prefix(1);
    }
    return true;
  }
  bool Eat(char c) {
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool done() const { return text_.empty(); }

 private:
  std::string_view text_;
};

// A change rule of the footer as seconds of wall time from the start of the year.
bool RuleSeconds(FooterParser& parser, std::int64_t year, std::int64_t* seconds) {
  std::int64_t year_start = DaysFromCivil(year, 1, 1);
  std::int64_t day = 0;
  int number = 0;
  if (parser.Eat('M')) {
    int month = 0, week = 0, weekday = 0;
    if (!parser.Number(&month) || !parser.Eat('.') || !parser.Number(&week) || !parser.Eat('.') ||
        !parser.Number(&weekday) || month < 1 || month > 12 || week < 1 || week > 5 ||
        weekday > 6) {
      return false;
    }
    std::int64_t first = DaysFromCivil(year, month, 1);
    std::int64_t shift = (weekday - Weekday(first * kDaySeconds) + 7) % 7;
    day = shift + 7 * (week - 1);
    while (day >= DaysInMonth(year, month))
      day -= 7;
    day += first - year_start;
  } else if (parser.Eat('J')) {
    if (!parser.Number(&number)) return false;
    day = number - 1 + (IsLeap(year) && number >= 60 ? 1 : 0);
  } else {
    if (!parser.Number(&number)) return false;
    day = number;
  }
  int time = 2 * 3600;
  if (parser.Eat('/') && !parser.Time(&time)) return false;
  *seconds = day * kDaySeconds + time;
  return true;
}

}  // namespace

std::int64_t DaysFromCivil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year += FloorDiv(month - 1, 12);
  month = (month - 1) - FloorDiv(month - 1, 12) * 12 + 1;
  if (month <= 2) --year;
  std::int64_t era = FloorDiv(year, 400);
  std::int64_t year_of_era = year - era * 400;
  std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5;
  std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468 + day - 1;
}

CivilTime CivilFromSeconds(std::int64_t seconds, int nanosecond) {
  std::int64_t days = FloorDiv(seconds, kDaySeconds);
  std::int64_t of_day = seconds - days * kDaySeconds;
  days += 719468;
  std::int64_t era = FloorDiv(days, 146097);
  std::int64_t day_of_era = days - era * 146097;
  std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime time;
  time.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  time.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  time.year = year_of_era + era * 400 + (time.month <= 2 ? 1 : 0);
  time.hour = static_cast<int>(of_day / 3600);
  time.minute = static_cast<int>(of_day / 60 % 60);
  time.second = static_cast<int>(of_day % 60);
  time.nanosecond = nanosecond;
  return time;
}

std::int64_t SecondsFromCivil(const CivilTime& time) {
  return DaysFromCivil(time.year, time.month, time.day) * kDaySeconds + time.hour * 3600 +
         time.minute * 60 + time.second;
}

int Weekday(std::int64_t seconds) {
  std::int64_t days = FloorDiv(seconds, kDaySeconds) + 4;
  return static_cast<int>(days - FloorDiv(days, 7) * 7);
}

int YearDay(const CivilTime& time) {
  return static_cast<int>(DaysFromCivil(time.year, time.month, time.day) -
                          DaysFromCivil(time.year, 1, 1)) +
         1;
}

int DaysInMonth(std::int64_t year, int month) {
  return static_cast<int>(DaysFromCivil(year, month + 1, 1) - DaysFromCivil(year, month, 1));
}

TimeZone::TimeZone() : utc_(true) {}

Result<TimeZone> TimeZone::ParseTzif(std::string_view text) {
  auto bad = [] { return Error(Code::kInvalidArgument, "malformed time zone information"); };
  Bytes bytes(text);
  auto header = ReadHeader(bytes);
  if (!header) return bad();
  std::size_t time_size = 4;
  std::string_view piece;
  if (header->version >= '2') {
    if (!bytes.Take(header->BlockSize(4), &piece)) return bad();
    header = ReadHeader(bytes);
    if (!header) return bad();
    time_size = 8;
  }
  TimeZone zone;
  zone.utc_ = false;
  std::string_view times, kinds, infos, names;
  std::size_t tail = header->counts[2] * (time_size + 4) + header->counts[1] + header->counts[0];
  if (!bytes.Take(header->counts[3] * time_size, &times) ||
      !bytes.Take(header->counts[3], &kinds) || !bytes.Take(header->counts[4] * 6, &infos) ||
      !bytes.Take(header->counts[5], &names) || !bytes.Take(tail, &piece) ||
      header->counts[4] == 0) {
    return bad();
  }
  for (std::size_t i = 0; i < header->counts[4]; ++i) {
    std::string_view info = infos.substr(6 * i, 6);
    std::size_t name = static_cast<unsigned char>(info[5]);
    const std::int64_t east = BigEndian(info.substr(0, 4));
    if (name >= names.size() || east < kLeastOffset || east > kMostOffset) return bad();
    zone.kinds_.push_back({static_cast<int>(east), info[4] != 0,
                           std::string(names.substr(name, names.find('\0', name) - name))});
  }
  for (std::size_t i = 0; i < header->counts[3]; ++i) {
    auto kind = static_cast<std::uint8_t>(kinds[i]);
    if (kind >= zone.kinds_.size()) return bad();
    zone.transitions_.push_back(BigEndian(times.substr(i * time_size, time_size)));
    zone.transition_kinds_.push_back(kind);
  }
  if (!std::is_sorted(zone.transitions_.begin(), zone.transitions_.end())) return bad();
  std::string_view footer = bytes.rest();
  if (time_size == 8 && footer.size() >= 2 && footer.front() == '\n' && footer.back() == '\n') {
    zone.footer_ = footer.substr(1, footer.size() - 2);
  }
  return zone;
}

ZoneOffset TimeZone::AtFooter(std::int64_t seconds) const {
  const Kind& last = kinds_[transition_kinds_.empty() ? 0 : transition_kinds_.back()];
  ZoneOffset fallback{last.seconds_east, last.abbreviation, false};
  std::string standard, daylight;
  int offset = 0;
  FooterParser parser(footer_);
  if (!parser.Name(&standard) || !parser.Time(&offset)) return fallback;
  int standard_east = -offset;
  if (parser.done()) return {standard_east, standard, false};
  int daylight_east = standard_east + 3600;
  if (!parser.Name(&daylight)) return fallback;
  if (!parser.Eat(',')) {
    if (!parser.Time(&offset)) return fallback;
    daylight_east = -offset;
    if (!parser.Eat(',')) return fallback;
  }
  std::int64_t year = CivilFromSeconds(seconds + standard_east, 0).year;
  std::int64_t start = 0, end = 0;
  if (!RuleSeconds(parser, year, &start) || !parser.Eat(',') || !RuleSeconds(parser, year, &end)) {
    return fallback;
  }
  std::int64_t base = DaysFromCivil(year, 1, 1) * kDaySeconds;
  start += base - standard_east;
  end += base - daylight_east;
  bool in_daylight =
      start < end ? seconds >= start && seconds < end : !(seconds >= end && seconds < start);
  return in_daylight ? ZoneOffset{daylight_east, daylight, false}
                     : ZoneOffset{standard_east, standard, false};
}

ZoneOffset TimeZone::At(std::int64_t seconds) const {
  if (utc_) return {0, "UTC", true};
  auto next = std::upper_bound(transitions_.begin(), transitions_.end(), seconds);
  if (next == transitions_.begin()) {
    // Before the first transition: the first standard time, as Go takes.
    auto kind = std::find_if(kinds_.begin(), kinds_.end(), [](auto& k) { return !k.daylight; });
    const Kind& first = kind == kinds_.end() ? kinds_.front() : *kind;
    if (transitions_.empty() && !footer_.empty()) return AtFooter(seconds);
    return {first.seconds_east, first.abbreviation, false};
  }
  if (next == transitions_.end() && !footer_.empty()) return AtFooter(seconds);
  auto index = static_cast<std::size_t>(next - transitions_.begin() - 1);
  const Kind& kind = kinds_[transition_kinds_[index]];
  return {kind.seconds_east, kind.abbreviation, false};
}

std::int64_t TimeZone::FromLocal(std::int64_t local) const {
  if (utc_) return local;
  // Offsets differ only around a transition: try the one before and the one after.
  int first = At(local - kDaySeconds).seconds_east;
  int second = At(local + kDaySeconds).seconds_east;
  int guess = At(local).seconds_east;
  for (int offset : {guess, first, second}) {
    if (At(local - offset).seconds_east == offset) return local - offset;
  }
  return local - first;
}

bool TimeZone::FindAbbreviation(std::string_view name, std::int64_t local,
                                int* seconds_east) const {
  if (utc_) {
    *seconds_east = 0;
    return name == "UTC";
  }
  for (const Kind& kind : kinds_) {
    if (kind.abbreviation == name && At(local - kind.seconds_east).abbreviation == name) {
      *seconds_east = kind.seconds_east;
      return true;
    }
  }
  return false;
}

Result<TimeZone> LoadZone(std::string_view name) {
  if (name.empty() || name == "UTC" || name == "Local") return TimeZone();
  auto unknown = [&] { return Error(Code::kNotFound, "unknown time zone " + std::string(name)); };
  bool plain = name.size() < 64 && name[0] != '/' && name.find("..") == std::string_view::npos &&
               std::all_of(name.begin(), name.end(), [](unsigned char c) {
                 return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '+' || c == '/';
               });
  if (!plain) return unknown();
  std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
  if (!file) return unknown();
  // Not by an iterator, which throws when the name is a directory's.
  std::string bytes(kMaxZoneBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  if (bytes.size() > kMaxZoneBytes || bytes.empty()) return unknown();
  return TimeZone::ParseTzif(bytes);
}

}  // namespace kata_cc::policy
