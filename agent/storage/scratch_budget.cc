// SPDX-License-Identifier: Apache-2.0
#include "agent/storage/scratch_budget.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cerrno>

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

ScratchBudget::Share::~Share() {
  if (left_) *left_->Lock() += taken_;
}

std::uint64_t ScratchBudget::Share::bytes() const {
  return std::max(taken_, kPageBytes);  // tmpfs takes a size of zero for no limit.
}

}  // namespace kata_cc::agent
