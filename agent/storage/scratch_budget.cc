// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/scratch_budget.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

namespace kata_cc::agent {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

}  // namespace

Result<ScratchBudget> ScratchBudget::OfMachine() {
  struct sysinfo info = {};
  if (::sysinfo(&info) != 0) return ErrnoError(errno, "sysinfo");
  return ScratchBudget(std::uint64_t{info.totalram} * info.mem_unit / 2);
}

ScratchBudget::Share ScratchBudget::Take(std::uint64_t wanted) {
  auto left = left_->Lock();
  const std::uint64_t taken = std::min(wanted, *left / 2) / kPageBytes * kPageBytes;
  *left -= taken;
  return {left_, taken};
}

std::string ScratchBudget::Bound(const std::string& size) const {
  std::uint64_t bytes = 0;
  const char* const end = size.data() + size.size();
  const auto [rest, error] = std::from_chars(size.data(), end, bytes);
  if (rest == size.data()) return size;  // The kernel says what it thinks of it.
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  constexpr std::string_view kSuffixes = "kmgt";
  const auto power =
      suffix.empty() ? 0 : kSuffixes.find(static_cast<char>(suffix.front() | 0x20)) + 1;
  if (suffix.size() > 1 || power > kSuffixes.size()) return size;
  const bool fits = error == std::errc() && bytes > 0 && bytes <= total_bytes_ >> (10 * power);
  return fits ? size : std::to_string(total_bytes_);
}

ScratchBudget::Share::~Share() {
  if (left_) *left_->Lock() += taken_;
}

std::uint64_t ScratchBudget::Share::bytes() const {
  return std::max(taken_, kPageBytes);  // tmpfs takes a size of zero for no limit.
}

}  // namespace kata_cc::agent
