// SPDX-License-Identifier: Apache-2.0
// Times in nanoseconds since 1970: time.*. Results outside of 64 bits are errors.
#include <algorithm>
#include <array>
#include <map>

#include "policy/engine/builtins/families.h"
#include "policy/engine/builtins/operands.h"
#include "policy/engine/builtins/text.h"
#include "policy/engine/builtins/time_layout.h"

namespace kata_cc::policy {
namespace {

constexpr std::int64_t kNanos = 1'000'000'000;

Error OutsideRange() {
  return BuiltinError("time outside of valid range");
}

// An instant with the zone to show it in.
struct ZonedTime {
  Instant at;
  TimeZone zone;
  std::string_view layout = kRfc3339Nano;

  ZoneOffset offset() const { return zone.At(at.seconds); }
  std::int64_t local_seconds() const { return at.seconds + offset().seconds_east; }
  CivilTime civil() const { return CivilFromSeconds(local_seconds(), at.nanosecond); }
};

Instant FromNanos(std::int64_t ns) {
  const std::int64_t rest = ns % kNanos;
  if (rest < 0) return {ns / kNanos - 1, static_cast<int>(rest + kNanos)};
  return {ns / kNanos, static_cast<int>(rest)};
}

Result<std::int64_t> ToNanos(const Instant& at) {
  std::int64_t ns = 0;
  // The smallest time has a whole second below 64 bits of nanoseconds, so borrow one.
  const bool borrow = at.seconds < 0 && at.nanosecond > 0;
  if (__builtin_mul_overflow(at.seconds + (borrow ? 1 : 0), kNanos, &ns) ||
      __builtin_add_overflow(ns, at.nanosecond - (borrow ? kNanos : 0), &ns)) {
    return OutsideRange();
  }
  return ns;
}

// Zones already read, by name: files of the tz database do not change under an engine.
Result<TimeZone> Zone(BuiltinContext& context, std::string_view name) {
  using Zones = std::map<std::string, TimeZone, std::less<>>;
  std::any& kept = context.Kept("time.zones");
  if (!kept.has_value()) kept = Zones();
  auto& zones = std::any_cast<Zones&>(kept);
  if (const auto known = zones.find(name); known != zones.end()) return known->second;
  TRY(context.Charge(1000));
  auto zone = LoadZone(name);
  if (!zone) return BuiltinError(zone.error().message());
  constexpr std::size_t kMaxZones = 64;
  if (zones.size() >= kMaxZones) zones.clear();
  zones.emplace(std::string(name), *zone);
  return zone;
}

Result<std::int64_t> Nanos(const Value& value, std::size_t operand) {
  if (!value.is_number()) return OperandError(operand, "number", value);
  const auto ns = value.ToInt64();
  if (ns) return *ns;
  if (value.is_integer()) return BuiltinError("timestamp too big");
  return OperandError(operand, "must be integer number but got floating-point number");
}

// ns, [ns, zone] or [ns, zone, layout].
Result<ZonedTime> TimeOperand(BuiltinContext& context, Operands x, std::size_t i) {
  ZonedTime out;
  if (x[i].is_number()) {
    out.at = FromNanos(TRY(Nanos(x[i], i + 1)));
    return out;
  }
  if (!x[i].is_array()) {
    return OperandError(i + 1, "must be either number or array of [ns, timezone] but got " +
                                   std::string(KindName(x[i].kind())));
  }
  const auto parts = x[i].items();
  if (parts.empty()) return OperandError(i + 1, "must be array of [ns, timezone]");
  out.at = FromNanos(TRY(Nanos(parts[0], i + 1)));
  if (parts.size() > 1) {
    if (!parts[1].is_string()) return OperandError(i + 1, "string", parts[1]);
    out.zone = TRY(Zone(context, parts[1].string()));
  }
  if (parts.size() > 2) {
    if (!parts[2].is_string()) return OperandError(i + 1, "string", parts[2]);
    if (parts[2].size() > 0) out.layout = NamedLayout(parts[2].string());
  }
  return out;
}

Value Integers(std::initializer_list<std::int64_t> numbers) {
  std::vector<Value> items;
  for (std::int64_t number : numbers)
    items.push_back(Value::Int(number));
  return Value::Array(std::move(items));
}

BuiltinResult Now(BuiltinContext& context, Operands) {
  return Value::Int(context.now_ns());
}

BuiltinResult ParseWith(BuiltinContext& context, std::string_view layout, std::string_view text) {
  TRY(context.Charge((layout.size() + text.size()) / 4));
  const auto at = ParseTime(layout, text);
  if (!at) return BuiltinError(at.error().message());
  const std::int64_t ns = TRY(ToNanos(*at));
  return Value::Int(ns);
}

BuiltinResult ParseNs(BuiltinContext& context, Operands x) {
  const std::string_view layout = TRY(StringOperand(x, 0));
  const std::string_view text = TRY(StringOperand(x, 1));
  return ParseWith(context, NamedLayout(layout), text);
}

BuiltinResult ParseRfc3339(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  return ParseWith(context, NamedLayout("RFC3339"), text);
}

BuiltinResult ParseDurationNs(BuiltinContext& context, Operands x) {
  const std::string_view text = TRY(StringOperand(x, 0));
  TRY(context.Charge(text.size() / 4));
  const auto ns = ParseDuration(text);
  if (!ns) return BuiltinError(ns.error().message());
  return Value::Int(*ns);
}

BuiltinResult Format(BuiltinContext& context, Operands x) {
  const ZonedTime time = TRY(TimeOperand(context, x, 0));
  TRY(ChargeBytes(context, time.layout.size() * 8));
  return Value::String(FormatTime(time.layout, time.civil(), time.offset()));
}

BuiltinResult Date(BuiltinContext& context, Operands x) {
  const ZonedTime time = TRY(TimeOperand(context, x, 0));
  const CivilTime civil = time.civil();
  return Integers({civil.year, civil.month, civil.day});
}

BuiltinResult Clock(BuiltinContext& context, Operands x) {
  const ZonedTime time = TRY(TimeOperand(context, x, 0));
  const CivilTime civil = time.civil();
  return Integers({civil.hour, civil.minute, civil.second});
}

BuiltinResult WeekdayName(BuiltinContext& context, Operands x) {
  constexpr std::array<std::string_view, 7> kNames = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                      "Thursday", "Friday", "Saturday"};
  const ZonedTime time = TRY(TimeOperand(context, x, 0));
  return Value::String(kNames[static_cast<std::size_t>(Weekday(time.local_seconds()))]);
}

// Numbers so large that the calendar cannot overflow 64 bits of seconds.
Result<std::int64_t> CalendarOperand(Operands x, std::size_t i) {
  const std::int64_t value = TRY(IntegerOperand(x, i));
  constexpr std::int64_t kLimit = 1'000'000'000;
  if (value > kLimit || value < -kLimit) return OutsideRange();
  return value;
}

BuiltinResult AddDate(BuiltinContext& context, Operands x) {
  const ZonedTime time = TRY(TimeOperand(context, x, 0));
  const std::int64_t years = TRY(CalendarOperand(x, 1));
  const std::int64_t months = TRY(CalendarOperand(x, 2));
  const std::int64_t days = TRY(CalendarOperand(x, 3));
  const CivilTime civil = time.civil();
  const std::int64_t day =
      DaysFromCivil(civil.year + years, civil.month + months, civil.day + days);
  const std::int64_t local = day * 86400 + civil.hour * 3600 + civil.minute * 60 + civil.second;
  const std::int64_t ns = TRY(ToNanos({time.zone.FromLocal(local), civil.nanosecond}));
  return Value::Int(ns);
}

// Years, months, days, hours, minutes and seconds between two times, in the first one's zone.
BuiltinResult Diff(BuiltinContext& context, Operands x) {
  ZonedTime a = TRY(TimeOperand(context, x, 0));
  ZonedTime b = TRY(TimeOperand(context, x, 1));
  b.zone = a.zone;
  const bool swap = a.at.seconds > b.at.seconds ||
                    (a.at.seconds == b.at.seconds && a.at.nanosecond > b.at.nanosecond);
  if (swap) std::swap(a, b);
  const CivilTime from = a.civil();
  const CivilTime to = b.civil();
  std::int64_t years = to.year - from.year, months = to.month - from.month,
               days = to.day - from.day, hours = to.hour - from.hour,
               minutes = to.minute - from.minute, seconds = to.second - from.second;
  const auto borrow = [](std::int64_t& part, std::int64_t& larger, std::int64_t size) {
    if (part >= 0) return;
    part += size;
    --larger;
  };
  borrow(seconds, minutes, 60);
  borrow(minutes, hours, 60);
  borrow(hours, days, 24);
  borrow(days, months, DaysInMonth(from.year, from.month));
  borrow(months, years, 12);
  return Integers({years, months, days, hours, minutes, seconds});
}

}  // namespace

std::span<const Builtin> TimeBuiltins() {
  static constexpr std::array kBuiltins = {
      Builtin{"time.now_ns", 0, Now, true},
      Builtin{"time.parse_ns", 2, ParseNs},
      Builtin{"time.parse_rfc3339_ns", 1, ParseRfc3339},
      Builtin{"time.parse_duration_ns", 1, ParseDurationNs},
      Builtin{"time.format", 1, Format},
      Builtin{"time.date", 1, Date},
      Builtin{"time.clock", 1, Clock},
      Builtin{"time.weekday", 1, WeekdayName},
      Builtin{"time.add_date", 4, AddDate},
      Builtin{"time.diff", 2, Diff},
  };
  return kBuiltins;
}

}  // namespace kata_cc::policy
