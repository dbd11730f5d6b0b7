// SPDX-License-Identifier: Apache-2.0
// A layout and a time on the first two lines, then the file of a time zone.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "policy/engine/builtins/civil_time.h"
#include "policy/engine/builtins/time_layout.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kata_cc::policy;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto line = [&rest] {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(text.size() < rest.size() ? text.size() + 1 : rest.size());
    return text;
  };
  const std::string_view layout = NamedLayout(line());
  const std::string_view text = line();
  (void)ParseDuration(text);
  const auto parsed = ParseTime(layout, text);
  const auto zone = TimeZone::ParseTzif(rest);
  if (!zone) return 0;
  // The ends of what 64 bits of nanoseconds hold, and what was read.
  for (const std::int64_t seconds :
       {std::int64_t{-9'223'372'037}, std::int64_t{0}, std::int64_t{9'223'372'036},
        parsed ? parsed->seconds : std::int64_t{1}}) {
    const ZoneOffset offset = zone->At(seconds);
    const std::int64_t local = seconds + offset.seconds_east;
    const CivilTime civil = CivilFromSeconds(local, 1);
    if (SecondsFromCivil(civil) != local) __builtin_trap();
    (void)FormatTime(layout, civil, offset);
    (void)zone->FromLocal(local);
    int east = 0;
    (void)zone->FindAbbreviation(offset.abbreviation, local, &east);
  }
  return 0;
}
