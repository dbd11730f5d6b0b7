// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/console.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace kata_cc::shim {
namespace {

class ConsoleTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/console_test.XXXXXX";
    ::close(::mkstemp(pattern));
    path_ = pattern;
  }
  void TearDown() override { ::unlink(path_.c_str()); }
  std::string Tail(const std::string& text) {
    std::ofstream(path_, std::ios::trunc) << text;
    return ReadConsoleTail(path_);
  }
  std::string path_;
};

TEST_F(ConsoleTest, MissingAndEmptyFilesAreEmpty) {
  EXPECT_EQ(ReadConsoleTail(path_ + ".none"), "");
  EXPECT_EQ(Tail(""), "");
  EXPECT_EQ(Tail("\n\n"), "");
}

TEST_F(ConsoleTest, ShortLogComesWhole) {
  EXPECT_EQ(Tail("a\r\nb\r\n"), "a\nb");
}

TEST_F(ConsoleTest, LongLogIsCutToItsLastTwentyLines) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "line " + std::to_string(i) + "\n";
  const std::string tail = Tail(text);
  EXPECT_EQ(std::count(tail.begin(), tail.end(), '\n'), 19);
  EXPECT_TRUE(tail.starts_with("line 80\n"));
  EXPECT_TRUE(tail.ends_with("line 99"));
}

TEST_F(ConsoleTest, OneEndlessLineIsCut) {
  EXPECT_EQ(Tail(std::string(100000, 'x')), std::string(2000, 'x'));
}

TEST_F(ConsoleTest, ControlBytesAreReplaced) {
  EXPECT_EQ(Tail(std::string("\x1b[2J\0\xff ok", 9)), "?[2J?? ok");
}

}  // namespace
}  // namespace kata_cc::shim
