// SPDX-License-Identifier: Apache-2.0
#include "base/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

namespace kata_cc {
namespace {

bool IsOpen(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

Result<int> SizeOfFirstRead(const std::string& path) {
  UniqueFd fd = TRY_CONTEXT(OpenFile(path, O_RDONLY), std::string("read ") + "first");
  char c;
  return static_cast<int>(::read(fd.get(), &c, 1));
}
Result<void> Check(const std::string& path) {
  TRY(SizeOfFirstRead(path));
  return {};
}
Result<int> Nested(const std::string& path) {
  TRY(Check(path));
  return TRY(SizeOfFirstRead(path)) + TRY(SizeOfFirstRead(path));
}

TEST(UniqueFdTest, MoveAssignmentClosesTheOldDescriptor) {
  UniqueFd a(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  const int old = a.get();
  a = UniqueFd(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  EXPECT_FALSE(IsOpen(old));
}

TEST(UniqueFdTest, SelfMoveKeepsTheDescriptorOpen) {
  UniqueFd a(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  UniqueFd& alias = a;
  a = std::move(alias);
  EXPECT_TRUE(IsOpen(a.get()));
}

TEST(OpenFileTest, MissingFileIsNotFoundAndNamesThePath) {
  auto result = SizeOfFirstRead("/no/such");
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), Code::kNotFound);
  EXPECT_EQ(result.error().message(), "read first: /no/such: No such file or directory");
}

TEST(TryTest, NestsInExpressionsAndUnwrapsVoid) {
  auto result = Nested("/proc/self/stat");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(*result, 2);
  EXPECT_EQ(Nested("/no").error().code(), Code::kNotFound);
}

TEST(ResultTest, MoveOnlyAndConvertingValues) {
  auto make = []() -> Result<std::unique_ptr<const int>> { return std::make_unique<int>(3); };
  auto use = [&]() -> Result<int> { return *TRY(make()); };
  EXPECT_EQ(*use(), 3);
  Result<std::string> text = "abc";
  EXPECT_EQ(text->size(), 3u);
}

}  // namespace
}  // namespace kata_cc
