// SPDX-License-Identifier: Apache-2.0
#include "base/toml_keys.h"

#include <gtest/gtest.h>

#include <string>

namespace kata_cc {
namespace {

std::string Repeat(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += text;
  return out;
}

TEST(TomlKeys, LongKeysAreRefused) {
  EXPECT_FALSE(CheckTomlKeys(Repeat("a.", 17) + "a = 1"));
  EXPECT_FALSE(CheckTomlKeys("[x]\n[" + Repeat("a . ", 100'000) + "a]"));
  EXPECT_FALSE(CheckTomlKeys(Repeat("\"a.b\".", 17) + "a = 1"));
  EXPECT_FALSE(CheckTomlKeys("x = {" + Repeat("'a'.", 17) + "a = 1}"));
  EXPECT_FALSE(CheckTomlKeys("x = '''\n\\'''\n" + Repeat("a.", 17)));
  EXPECT_FALSE(CheckTomlKeys("x = \"\"\"a\"\"\"\"\"\n" + Repeat("a.", 17)));
  EXPECT_FALSE(CheckTomlKeys("x = \"a\\\\\" \n" + Repeat("a.", 17)));
  EXPECT_FALSE(CheckTomlKeys("x = 'no end\n" + Repeat("a.", 17)));
}

TEST(TomlKeys, DotsElsewhereAreNone) {
  const std::string dots(1'000, '.');
  EXPECT_TRUE(CheckTomlKeys(""));
  EXPECT_TRUE(CheckTomlKeys(Repeat("a.", 16) + "a = 1"));
  EXPECT_TRUE(CheckTomlKeys("# " + dots + "\na = \"" + dots + "\"\nb = '" + dots + "'"));
  EXPECT_TRUE(CheckTomlKeys("a = '''\n" + dots + "'\n" + dots + "'''\nb = 1"));
  EXPECT_TRUE(CheckTomlKeys("a = \"\"\"\n" + dots + "\\\"\"\"" + dots + "\"\"\"\nb = 1"));
  EXPECT_TRUE(CheckTomlKeys("a = [" + Repeat("1.5,", 1'000) + "]\n"));
  EXPECT_TRUE(CheckTomlKeys(Repeat("a.b = 1\n", 1'000)));
  for (const char* open : {"\"", "'", "\"\"\"", "'''", "\"\\", "#", "\"\"", "''"})
    EXPECT_TRUE(CheckTomlKeys(open)) << open;
}

// toml++ takes it for granted that a key is there.
TEST(TomlKeys, AHeaderBeginsWithAKey) {
  for (const char* text :
       {"[\x01"
        "a]",
        "[ \t=]", "[[.a]]", "[\n", "[ [ #", "[\xc3\xa9]", "a = 1\n [\r\n]", "\xef\xbb\xbf[,",
        "a = [\n1,\n]\n[!", "a = {b = 1}\n[?", "a = '['\n[(", "a = ']' # ]\n[;"})
    EXPECT_FALSE(CheckTomlKeys(text)) << text;
  for (const char* text : {"[a]", "[ \"b\" ]", "[['c']]", "[ [-d", "[_", "[", "[[", "[]", "[[ ]]",
                           "[1.2]", "a = [!", "a = [\n[1], [ {b = [?", "a = {b = [\n[", "# [!",
                           "a = '''\n[!'''", "a = \"[!\"\n[b]", "a = 1 # =\n[b]"})
    EXPECT_TRUE(CheckTomlKeys(text)) << text;
}

TEST(TomlKeys, StringsAreWhereTheyCanBe) {
  for (const char* text : {"a = +\"x\"", "a = \"x\"\"y\"", "a = 1'x'", "a = 1.'x'", "a'b' = 1",
                           "a = [1 'x']", "[a]'b'", "a = {}'x'"})
    EXPECT_FALSE(CheckTomlKeys(text)) << text;
  for (const char* text :
       {"'a' = 'b'", "a = ['b', \"c\",\n 'd' # e\n]", "a = {'b' = 'c', 'd' = 'e'}",
        "a.'b' . \"c\" = 1", "['a'.\"b\"]", "[[ 'a' ]]\r\n'b' = \"\"\"c\"\"\"\r\n'd' = ''\n"})
    EXPECT_TRUE(CheckTomlKeys(text)) << text;
}

TEST(TomlKeys, NoBraceEndsAnArraysValue) {
  for (const char* text : {"a =[ [}", "a = [1, }", "a = [\n}", "a = [ # b\n }"})
    EXPECT_FALSE(CheckTomlKeys(text)) << text;
  EXPECT_TRUE(CheckTomlKeys("a = [{}, {b = [1]}, {c = 1 }]\nd = {}"));
}

TEST(TomlKeys, LettersThatAreNotAsciiAreInStringsAndCommentsOnly) {
  for (const char* text : {"a \xc3\x8e = 1", "\xc3\xa9", "a = \xd0\x96", "a = 'x' \xc3\x8e",
                           "a = [\xc3\x8e]", "\n\xef\xbb\xbf", "a = 'x\n\xc3\x8e"})
    EXPECT_FALSE(CheckTomlKeys(text)) << text;
  for (const char* text : {"\xef\xbb\xbf# \xc3\x8e\na = '\xc3\x8e'", "\"\xc3\x8e\" = \"\xc3\x8e\"",
                           "\xef\xbb\xbf", "a = \"\"\"\n\xc3\x8e\"\"\""})
    EXPECT_TRUE(CheckTomlKeys(text)) << text;
}

TEST(TomlKeys, LettersBehindABackslashAreAscii) {
  const std::string three = R"(""")";
  for (const char* text :
       {"\\\xce\x9a", "\\\n\xce\x9a", "x\\ \t\r\n \n\xce\x9a", "\\\\\\\xce\x9a"}) {
    const std::string string = three + text + three;
    EXPECT_FALSE(CheckTomlKeys("a = " + string)) << text;
    EXPECT_FALSE(CheckTomlKeys(string + " = 1")) << text;
  }
  EXPECT_FALSE(CheckTomlKeys("a = \"\\\xce\x9a\""));
  for (const char* text : {"\\\\\xce\x9a", "\\n\xce\x9a", "\\\n x\xce\x9a", "\n\xce\x9a", "\\\n"})
    EXPECT_TRUE(CheckTomlKeys("a = " + three + text + three)) << text;
  EXPECT_TRUE(CheckTomlKeys("a = '\\\xce\x9a'\nb = '''\\\n\xce\x9a'''"));
  EXPECT_TRUE(CheckTomlKeys("a = \"\\"));
}

}  // namespace
}  // namespace kata_cc
