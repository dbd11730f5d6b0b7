// SPDX-License-Identifier: Apache-2.0
#include "policy/engine/builtins/testing.h"

namespace kata_cc::policy::testing {
namespace {

void Expect(const std::vector<Row>& rows) {
  ExpectRows(DefaultFamilies(), rows);
}

TEST(StringBuiltinsTest, PositionsCountCharacters) {
  Expect({{"indexof", R"(["aåäö", "ö"])", "3"},
          {"indexof", R"(["a", "b"])", "-1"},
          {"indexof", R"(["a", ""])", "error: empty search character"},
          {"indexof_n", R"(["aaa", "aa"])", "[0, 1]"},
          {"substring", R"(["aåäö", 2, -1])", R"("äö")"},
          {"substring", R"(["åäö", 0, 2])", R"("åä")"},
          {"substring", R"(["abc", 9, 1])", R"("")"},
          {"substring", R"(["abc", -1, 1])", "error: negative offset"},
          {"strings.reverse", R"(["1😀𝛾"])", R"("𝛾😀1")"},
          {"strings.count", R"(["dummy", ""])", "6"},
          {"strings.count", R"(["aaaa", "aa"])", "2"}});
}

TEST(StringBuiltinsTest, SplitJoinReplace) {
  Expect(
      {{"split", R"(["a,b", ","])", R"(["a", "b"])"},
       {"split", R"(["äb", ""])", R"(["ä", "b"])"},
       {"split", R"(["", ","])", R"([""])"},
       {"split", R"(["", ""])", "[]"},
       {"strings.split_n", R"(["a,b,c", ",", 2])", R"(["a", "b"])"},
       {"strings.split_n", R"(["a,b,c", ",", -1])", R"(["c"])"},
       {"concat", R"([",", {"$set": ["b", "a"]}])", R"("a,b")"},
       {"concat", R"([",", ["a", 1]])",
        "type error: operand 2 must be array of strings but got array containing number"},
       {"replace", R"(["aaa", "", "b"])", R"("bababab")"},
       {"replace", R"(["foo.bar.", ".", ","])", R"("foo,bar,")"},
       {"strings.replace_n", R"([{"f": "x", "foo": "xxx"}, "foo"])", R"("xoo")"},
       {"strings.replace_n", R"([{"": "b"}, "aaa"])", R"("bababab")"},
       {"strings.replace_n", R"([{"a": 1}, "aaa"])", "type error: operand 1 non-string value..."}});
}

TEST(StringBuiltinsTest, TrimAndCase) {
  Expect({{"trim", R"(["¡¡foo, bar!!", "!¡"])", R"("foo, bar")"},
          {"trim_left", R"(["aab", "a"])", R"("b")"},
          {"trim_right", R"(["béé", "é"])", R"("b")"},
          {"trim_prefix", R"(["aab", "a"])", R"("ab")"},
          {"trim_suffix", R"(["aab", "b"])", R"("aa")"},
          {"trim_space", "[\"\u00a0 a\\t\\n\u2003\"]", R"("a")"},
          {"upper", R"(["ßÄéǆ"])", R"("ßÄÉǄ")"},
          {"lower", R"(["İΣ"])", R"("iσ")"}});
}

TEST(StringBuiltinsTest, AnyPrefixAndSuffix) {
  Expect({{"strings.any_prefix_match", R"(["a/b", {"$set": ["x", "a/"]}])", "true"},
          {"strings.any_suffix_match", R"([["a/b"], []])", "false"},
          {"strings.any_prefix_match", R"([[1], "a"])",
           "type error: operand 1 must be array of strings but got array containing number"}});
}

TEST(StringBuiltinsTest, FormatInt) {
  Expect({{"format_int", R"([15.5, 16])", R"("f")"},
          {"format_int", R"([-255.9, 10])", R"("-255")"},
          {"format_int", R"([123456789123456789123, 16])", R"("6b14e9f9b0df36a83")"},
          {"format_int", R"([4, 199])", "type error: operand 2 must be one of {2, 8, 10, 16}"}});
}

TEST(SprintfTest, VerbsOfIntegers) {
  Expect({{"sprintf", R"(["%d|%5d|%-5d|%05d|%+d|% d", [1, 2, 3, 4, 5, 6]])",
           R"("1|    2|3    |00004|+5| 6")"},
          {"sprintf", R"(["%b|%o|%O|%x|%X|%#x", [5, 8, 8, 255, 255, 255]])",
           R"("101|10|0o10|ff|FF|0xff")"},
          {"sprintf", R"(["%c|%q|%U|%#U", [128512, 65, 65, 128512]])",
           R"("😀|'A'|U+0041|U+1F600 '😀'")"},
          {"sprintf", R"(["%s", [5]])", R"~("%!s(int64=5)")~"},
          {"sprintf",
           R"(["%s|%d|%x", [123456789123456789123, 123456789123456789123, 123456789123456789123]])",
           R"("123456789123456789123|123456789123456789123|6b14e9f9b0df36a83")"},
          {"sprintf", R"(["%.3d|%.0d|%8.3d", [5, 0, 5]])", R"("005||     005")"}});
}

TEST(SprintfTest, VerbsOfRealsAndTexts) {
  Expect(
      {{"sprintf", R"(["%.2f|%08.3f|%e|%g|%v", [3.1415, -3.14159, 3.5, 1e-7, 123456789.5]])",
        R"("3.14|-003.142|3.500000e+00|1e-07|1.234567895e+08")"},
       {"sprintf", R"(["%x|%b", [1.5, 1.5]])", R"("0x1.8p+00|6755399441055744p-52")"},
       {"sprintf", R"(["%d", [1.0]])", R"~("%!d(float64=1)")~"},
       {"sprintf", R"(["%v %v", [1e21, -0.0]])", R"("1e+21 -0")"},
       {"sprintf", R"(["%s|%5s|%-5s|%.2s|%q|%x", ["abc", "é", "é", "héllo", "a\"b", "hi"]])",
        R"("abc|    é|é    |hé|\"a\\\"b\"|6869")"},
       {"sprintf", R"(["%v %s", [true, {"a": {"$set": [2, 1]}}]])", R"("true {\"a\": {1, 2}}")"}});
}

TEST(SprintfTest, MisuseIsWrittenOut) {
  Expect({{"sprintf", R"(["%d %d", [1]])", R"~("1 %!d(MISSING)")~"},
          {"sprintf", R"(["%d", [1, 2]])", R"~("1%!(EXTRA int64=2)")~"},
          {"sprintf", R"(["%", [1]])", R"~("%!(NOVERB)%!(EXTRA int64=1)")~"},
          {"sprintf", R"(["%[2]d %[1]d", [1, 2]])", R"("2 1")"},
          {"sprintf", R"(["%[5]d", [1]])", R"~("%!d(BADINDEX)")~"},
          {"sprintf", R"(["%*d|%-*d|", [5, 3, 4, 6]])", R"("    3|6   |")"},
          {"sprintf", R"(["%*d", ["a", 7]])", R"("%!(BADWIDTH)7")"},
          {"sprintf", R"(["%z", [1]])", R"~("%!z(int64=1)")~"},
          {"sprintf", R"(["%1000000000d", [1]])", R"~("%!(NOVERB)%!(EXTRA int64=1)")~"},
          {"sprintf", R"(["%s", "x"])", "type error: operand 2 must be array but got string"}});
}

TEST(SprintfTest, WideFieldsRunIntoTheLimit) {
  std::string format;
  std::string arguments;
  for (int i = 0; i < 100; ++i) {
    format += "%999999d";
    arguments += i > 0 ? ",1" : "1";
  }
  const std::string operands = "[\"" + format + "\",[" + arguments + "]]";
  EXPECT_EQ(Call(DefaultFamilies(), "sprintf", operands), "limit: limit");
}

TEST(RegexBuiltinsTest, FindReplaceSplit) {
  Expect({{"regex.match", R"~(["^[a-z]+\\[[0-9]+\\]$", "foo[1]"])~", "true"},
          {"regex.match", R"~(["(?<n>a)", "a"])~", "true"},
          {"regex.match", R"~(["(", "a"])~", "error: error parsing regexp: missing closing ): `(`"},
          {"regex.match", R"(["\\C", "a"])", "error: error parsing regexp: invalid escape..."},
          {"regex.is_valid", "[10]", "false"},
          {"regex.split", R"(["[a-z]+$", "foobar baz"])", R"(["foobar ", ""])"},
          {"regex.split", R"(["", "abc"])", R"(["a", "b", "c"])"},
          {"regex.split", R"(["^[a-z ]+$", "foobar baz"])", R"(["", ""])"},
          {"regex.find_n", R"(["", "abc", -1])", R"(["", "", "", ""])"},
          {"regex.find_n", R"(["a.", "paranormal", 2])", R"(["ar", "an"])"},
          {"regex.find_all_string_submatch_n", R"~(["(a)(x)?", "aab", -1])~",
           R"([["a", "a", ""], ["a", "a", ""]])"},
          {"regex.replace", R"~(["abc", "(?P<x>b)", "[${x}$0$1$x1$$]"])~", R"("a[bbb$]c")"},
          {"regex.replace", R"(["abc", "", "-"])", R"("-a-b-c-")"},
          {"regex.template_match", R"(["urn:foo:{.*}", "urn:foo:bar:baz", "{", "}"])", "true"},
          {"regex.template_match", R"(["urn:{.*", "urn", "{", "}"])",
           R"(error: unbalanced braces in "urn:{.*")"}});
}

TEST(RegexBuiltinsTest, GlobsIntersect) {
  Expect(
      {{"regex.globs_match", R"(["a.a.[0-9]+z", ".b.b2359825792*594823z"])", "true"},
       {"regex.globs_match", R"([".*", "abc+"])", "true"},
       {"regex.globs_match", R"(["[a-c]", "[d-f]"])", "false"},
       {"regex.globs_match", R"(["pqrs]", "[a-b]+"])",
        "error: input:pqrs], pos:5, set-close ']' with no preceding '[': "
        "the input provided is "
        "invalid"},
       {"regex.globs_match", R"(["[z-a]", "a"])", "error: input:[z-a], pos:4, range is out..."}});
}

TEST(GlobBuiltinsTest, SeparatorsAndPatterns) {
  Expect(
      {{"glob.match", R"(["*.github.com", ["."], "api.github.com"])", "true"},
       {"glob.match", R"(["*.github.com", ["."], "api.cdn.github.com"])", "false"},
       {"glob.match", R"(["api.**.com", ["."], "api.cdn.github.com"])", "true"},
       {"glob.match", R"(["*", null, "foo.bar"])", "true"},
       {"glob.match", R"(["*", [], "foo.bar"])", "false"},
       {"glob.match", R"(["?at", ["f"], "fat"])", "false"},
       {"glob.match", R"(["[!a-c]at", [], "fat"])", "true"},
       {"glob.match", R"(["{cat,bat,[fr]at}", [], "rat"])", "true"},
       {"glob.match", R"(["{a", [], "a"])", "error: glob: syntax error at 2: unclosed `{`"},
       {"glob.match", R"(["*", ["ab"], "b"])", "type error: operand 2 must be array of runes..."},
       {"glob.quote_meta", R"(["*.github.com"])", R"("\\*.github.com")"}});
}

}  // namespace
}  // namespace kata_cc::policy::testing
