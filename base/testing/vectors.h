// SPDX-License-Identifier: Apache-2.0
// For tests: the folder of test vectors (reports, certificates, launch digests), which is not part
// of the source tree. The variable KATA_CC_VECTORS names it, at configure time or at run time.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"

#ifndef KATA_CC_VECTORS_DIR
#define KATA_CC_VECTORS_DIR ""
#endif

namespace kata_cc::testing {

inline std::string VectorsDir() {
  const char* dir = std::getenv("KATA_CC_VECTORS");
  return dir != nullptr ? dir : KATA_CC_VECTORS_DIR;
}

// Without the folder a test is skipped on a developer's machine; under CI=true it fails.
class VectorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!VectorsDir().empty()) return;
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") FAIL() << "KATA_CC_VECTORS is not set";
    GTEST_SKIP() << "KATA_CC_VECTORS is not set";
  }

  static Bytes Read(const std::string& name) {
    Result<Bytes> bytes = ReadFile(VectorsDir() + "/" + name, std::size_t{64} << 20);
    if (!bytes) {
      ADD_FAILURE() << bytes.error().message();
      return {};
    }
    return *std::move(bytes);
  }
};

}  // namespace kata_cc::testing
