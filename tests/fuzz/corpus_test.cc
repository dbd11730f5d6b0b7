// SPDX-License-Identifier: Apache-2.0
// Every fuzz target over its kept inputs (corpus/TARGET, one a file): what once was found, or
// reaches code that nothing else does, in each build and under each sanitizer.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#define KATA_CC_FUZZ_TARGET(name) \
  extern "C" int name##_fuzz(const std::uint8_t* data, std::size_t size);
#include "fuzz_targets.inc"
#undef KATA_CC_FUZZ_TARGET

namespace {

using FuzzTarget = int (*)(const std::uint8_t* data, std::size_t size);

void RunCorpus(const char* name, FuzzTarget target) {
  const auto folder = std::filesystem::path(KATA_CC_FUZZ_CORPUS) / name;
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path());
    std::ifstream file(entry.path(), std::ios::binary);
    // In memory of its exact size, so that a sanitizer sees each byte beyond it.
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_TRUE(file);
    const std::vector<std::uint8_t> data(bytes.begin(), bytes.end());
    target(data.data(), data.size());
    ++count;
  }
  target(nullptr, 0);
  EXPECT_GT(count, 0U) << folder;
}

#define KATA_CC_FUZZ_TARGET(name)  \
  TEST(FuzzCorpus, name) {         \
    RunCorpus(#name, name##_fuzz); \
  }
#include "fuzz_targets.inc"
#undef KATA_CC_FUZZ_TARGET

}  // namespace
