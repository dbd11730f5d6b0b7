// SPDX-License-Identifier: Apache-2.0
// For tests: the program kata-ccctl as a process, and a directory for its files.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"

namespace kata_cc::ctl {

struct CtlResult {
  int exit_code = -1;
  std::string output;  // Standard output.
  std::string errors;  // Standard error.
};

class TestDir {
 public:
  TestDir() {
    std::string name = ::testing::TempDir() + "/kata-ccctl.XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TestDir() { std::filesystem::remove_all(path_); }
  TestDir(const TestDir&) = delete;
  TestDir& operator=(const TestDir&) = delete;

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, ByteView bytes) const {
    EXPECT_TRUE(WriteFile(path(name), bytes));
    return path(name);
  }

 private:
  std::string path_;
};

inline CtlResult RunCtl(const std::vector<std::string>& arguments) {
  const TestDir dir;
  std::string command = KATA_CCCTL;
  for (const std::string& argument : arguments) {
    command += " '";
    for (const char c : argument)
      command += c == '\'' ? std::string("'\\''") : std::string(1, c);
    command += "'";
  }
  CtlResult result;
  FILE* pipe = ::popen((command + " 2>" + dir.path("stderr")).c_str(), "re");
  if (pipe == nullptr) return result;
  char buffer[4096];
  for (std::size_t n; (n = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    result.output.append(buffer, n);
  const int status = ::pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  const Result<Bytes> errors = ReadFile(dir.path("stderr"), std::size_t{1} << 20);
  if (errors) result.errors = AsString(*errors);
  return result;
}

}  // namespace kata_cc::ctl
