// SPDX-License-Identifier: Apache-2.0
// ScratchBudget: how much of the guest's memory containers may fill with files. What they write
// beyond their share fails with ENOSPC, and the guest goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/synced.h"

namespace kata_cc::agent {

// Any thread. Shares may outlive it.
class ScratchBudget {
 public:
  explicit ScratchBudget(std::uint64_t total_bytes)
      : total_bytes_(total_bytes), left_(std::make_shared<Synced<std::uint64_t>>(total_bytes)) {}

  // Half of the machine's memory.
  static Result<ScratchBudget> OfMachine();

  // A size as tmpfs takes it: itself, or the total in bytes where it is more or says no limit (0).
  std::string Bound(const std::string& size) const;

  // Until it is dropped.
  class Share {
   public:
    Share(Share&& other) noexcept = default;
    Share& operator=(Share&&) = delete;
    ~Share();
    std::uint64_t bytes() const;  // Never zero.

   private:
    friend class ScratchBudget;
    Share(std::shared_ptr<Synced<std::uint64_t>> left, std::uint64_t taken)
        : left_(std::move(left)), taken_(taken) {}
    std::shared_ptr<Synced<std::uint64_t>> left_;
    std::uint64_t taken_;
  };

  // At most wanted, and at most half of what is left: there is always something for the next one,
  // and all shares together never exceed the total.
  Share Take(std::uint64_t wanted);

 private:
  std::uint64_t total_bytes_;
  std::shared_ptr<Synced<std::uint64_t>> left_;
};

}  // namespace kata_cc::agent
