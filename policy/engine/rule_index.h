// SPDX-License-Identifier: Apache-2.0
// RuleIndex: which definitions of a group can hold, by one value that several of them compare with
// constants before anything else: an operand (`f("a", x) := ...`), or a reference into the input or
// an operand (`p if { input.kind == "pod"; ... }`). Others are tried always.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/engine/ir.h"

namespace kata_cc::policy {

// `key == constant`: the key is an operand, the input, or a member of one of them.
struct Condition {
  const Node* key = nullptr;
  const Value* constant = nullptr;
  std::string KeyName() const;  // Equal for equal keys of a group's definitions.
};
std::optional<Condition> ConditionOf(const Step& step, std::size_t arity);

struct RuleIndex {
  Node key;
  std::vector<Value> constants;                      // Ascending,
  std::vector<std::vector<std::uint32_t>> selected;  // with the definitions that want each.
  std::vector<std::uint32_t> always;                 // Ascending.

  // Nothing, when too few definitions would be saved. Linear in the definitions, but for sorting.
  static std::unique_ptr<RuleIndex> Make(const Group& group);

  // The definitions that want the value (null: undefined), ascending; besides `always`.
  std::span<const std::uint32_t> Find(const Value* value) const;
};

// The numbers of two ascending lists, in order.
class Merged {
 public:
  Merged(std::span<const std::uint32_t> a, std::span<const std::uint32_t> b) : a_(a), b_(b) {}
  // False at the end.
  bool Next(std::uint32_t& out) {
    auto& from = b_.empty() || (!a_.empty() && a_.front() < b_.front()) ? a_ : b_;
    if (from.empty()) return false;
    out = from.front();
    from = from.subspan(1);
    return true;
  }

 private:
  std::span<const std::uint32_t> a_;
  std::span<const std::uint32_t> b_;
};

}  // namespace kata_cc::policy
