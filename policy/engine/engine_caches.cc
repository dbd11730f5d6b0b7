// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/engine_caches.h"

#include <algorithm>

namespace kata_cc::policy {
namespace {

constexpr std::size_t kMostRegexes = 512;
constexpr std::size_t kMostRegexesInOneQuery = 4'096;
constexpr std::size_t kMostKept = 256;

}  // namespace

Result<const RE2*> EngineCaches::Regex(std::string_view pattern) {
  const auto it = regexes_.find(pattern);
  if (it != regexes_.end()) {
    const RE2& known = *it->second.compiled;
    it->second.used = true;
    if (!known.ok()) return Error(Code::kFailedPrecondition, known.error());
    return &known;
  }
  if (pattern.size() > regex_bytes_) {
    return Error(Code::kResourceExhausted, "regular expression longer than the limit");
  }
  if (regexes_.size() >= kMostRegexesInOneQuery) {
    return Error(Code::kResourceExhausted, "too many regular expressions in one evaluation");
  }
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(static_cast<std::int64_t>(regex_bytes_) * 16);
  auto compiled = std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  const RE2* out = compiled.get();
  regexes_.emplace(std::string(pattern), Pattern{std::move(compiled)});
  if (!out->ok()) return Error(Code::kFailedPrecondition, out->error());
  return out;
}

std::any& EngineCaches::Kept(std::string_view key) {
  const auto it = kept_.find(key);
  if (it != kept_.end()) return it->second;
  return kept_[std::string(key)];
}

void EngineCaches::Trim() {
  if (regexes_.size() > kMostRegexes) {
    std::erase_if(regexes_, [](const auto& entry) { return !entry.second.used; });
    for (auto& [text, pattern] : regexes_)
      pattern.used = false;
    // Leaves the next query room for as many of its own.
    if (regexes_.size() > kMostRegexesInOneQuery / 2) regexes_.clear();
  }
  if (kept_.size() > kMostKept) kept_.clear();
}

Value* SlotStack::Push(std::size_t count) {
  while (current_ < chunks_.size()) {
    Chunk& chunk = chunks_[current_];
    if (chunk.size - chunk.used >= count) {
      Value* out = chunk.values.get() + chunk.used;
      chunk.used += count;
      return out;
    }
    if (current_ + 1 == chunks_.size()) break;
    if (chunks_[current_ + 1].used == 0 && chunks_[current_ + 1].size < count) {
      chunks_.resize(current_ + 1);
      break;
    }
    ++current_;
  }
  const std::size_t size = std::max(kChunk, count);
  chunks_.push_back({std::make_unique<Value[]>(size), size, count});
  current_ = chunks_.size() - 1;
  return chunks_.back().values.get();
}

void SlotStack::Pop(std::size_t count) {
  Chunk& chunk = chunks_[current_];
  Value* end = chunk.values.get() + chunk.used;
  for (Value* value = end - count; value != end; ++value)
    value->Clear();
  chunk.used -= count;
  if (chunk.used == 0 && current_ > 0) --current_;
}

}  // namespace kata_cc::policy
