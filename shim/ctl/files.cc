// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>

#include "base/unique_fd.h"

namespace kata_cc::ctl {
namespace {

// The number in text[at, at + size), all of which must be digits; -1 when they are not.
int Digits(std::string_view text, std::size_t at, std::size_t size) {
  if (at + size > text.size()) return -1;
  int value = 0;
  for (const char c : text.substr(at, size)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool In(int value, int low, int high) {
  return value >= low && value <= high;
}

// Seconds east of UTC of "Z" or "+hh:mm".
Result<int> Offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  const int hours = Digits(text, 1, 2);
  const int minutes = Digits(text, 4, 2);
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
      !In(hours, 0, 23) || !In(minutes, 0, 59)) {
    return Error(Code::kInvalidArgument, "no time zone");
  }
  return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes) * 60;
}

}  // namespace

Result<std::time_t> ParseRfc3339(std::string_view text) {
  const Error error(Code::kInvalidArgument,
                    std::string(text) + ": not a time as 2026-11-24T22:48:00Z");
  constexpr std::size_t kSeconds = 19;  // Length up to the seconds.
  if (text.size() < kSeconds + 1 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':') {
    return error;
  }
  struct tm parts {};
  parts.tm_year = Digits(text, 0, 4) - 1900;
  parts.tm_mon = Digits(text, 5, 2) - 1;
  parts.tm_mday = Digits(text, 8, 2);
  parts.tm_hour = Digits(text, 11, 2);
  parts.tm_min = Digits(text, 14, 2);
  parts.tm_sec = Digits(text, 17, 2);
  if (!In(parts.tm_year, -1900, 8099) || !In(parts.tm_mon, 0, 11) || !In(parts.tm_mday, 1, 31) ||
      !In(parts.tm_hour, 0, 23) || !In(parts.tm_min, 0, 59) || !In(parts.tm_sec, 0, 60)) {
    return error;
  }
  std::size_t zone = kSeconds;
  if (text[zone] == '.') {
    do {
      ++zone;
    } while (zone < text.size() && text[zone] >= '0' && text[zone] <= '9');
    if (zone == kSeconds + 1) return error;
  }
  const Result<int> offset = Offset(text.substr(zone));
  if (!offset) return error;
  const int day = parts.tm_mday;
  const std::time_t time = timegm(&parts);
  // timegm takes the 31st of February for a day in March.
  if (parts.tm_mday != day && parts.tm_sec != 60) return error;
  return time - *offset;
}

Result<std::uint64_t> ParseNumber(std::string_view text, const std::string& what) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hex ? text.substr(2) : text;
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return Error(Code::kInvalidArgument, what + ": " + std::string(text) + ": not a number");
  }
  return value;
}

Result<MappedFile> MappedFile::Open(const std::string& path, std::size_t limit) {
  const UniqueFd fd = TRY(OpenFile(path, O_RDONLY));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return ErrnoError(errno, path);
  if (!S_ISREG(status.st_mode) || status.st_size == 0)
    return MappedFile(TRY(ReadFile(path, limit)));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > limit) return Error(Code::kResourceExhausted, path + ": file too large");
  void* const data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd.get(), 0);
  if (data == MAP_FAILED) return ErrnoError(errno, path);
  return MappedFile(data, size);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

}  // namespace kata_cc::ctl
