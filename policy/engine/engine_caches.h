// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <re2/re2.h>

#include <any>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "policy/engine/value.h"

namespace kata_cc::policy {

// What outlives a query: compiled patterns, and what builtin families keep.
class EngineCaches {
 public:
  explicit EngineCaches(std::size_t regex_bytes) : regex_bytes_(regex_bytes) {}
  Result<const RE2*> Regex(std::string_view pattern);
  std::any& Kept(std::string_view key);
  // Drops what is over the bounds: patterns that the queries since the last Trim did not use.
  // Between queries only, so that lent pointers stay good.
  void Trim();

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::size_t regex_bytes_;
  struct Pattern {
    std::unique_ptr<RE2> compiled;
    bool used = true;  // Since the last Trim.
  };
  std::unordered_map<std::string, Pattern, TextHash, std::equal_to<>> regexes_;
  std::unordered_map<std::string, std::any, TextHash, std::equal_to<>> kept_;
};

// Slots of frames, in chunks that never move.
class SlotStack {
 public:
  Value* Push(std::size_t count);
  void Pop(std::size_t count);

 private:
  static constexpr std::size_t kChunk = 8'192;
  struct Chunk {
    std::unique_ptr<Value[]> values;
    std::size_t size = 0;
    std::size_t used = 0;
  };
  std::vector<Chunk> chunks_;
  std::size_t current_ = 0;
};

}  // namespace kata_cc::policy
