// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/verdict.h"

#include <gtest/gtest.h>

namespace kata_cc::agent {
namespace {

using nlohmann::json;

Result<Verdict> Read(const char* value, std::string_view container_id = "web") {
  return ReadVerdict("CreateContainerRequest", {json::parse(value), {}}, container_id);
}

TEST(Verdict, TrueAndAllowedObjectsAllow) {
  EXPECT_TRUE(Read("true"));
  EXPECT_TRUE(Read(R"({"allowed": true})"));
  const auto verdict = Read(R"({"allowed": true, "max_instances": 3, "ops": [
      {"op": "add", "path": "/pstate/sandbox_name", "value": "n"},
      {"op": "add", "path": "/pstate/web", "value": 4}]})");
  ASSERT_TRUE(verdict) << verdict.error().message();
  EXPECT_EQ(verdict->operations.size(), 2U);
  EXPECT_EQ(verdict->entry, json(4));
  EXPECT_EQ(verdict->max_instances, 3);
}

TEST(Verdict, EverythingElseDenies) {
  for (const char* value :
       {"false",
        "null",
        "1",
        "\"true\"",
        "[true]",
        "{}",
        R"({"allowed": 1})",
        R"({"allowed": false})",
        R"({"allowed": true, "more": 1})",
        R"({"allowed": true, "max_instances": 0})",
        R"({"allowed": true, "max_instances": 1.5})",
        R"({"allowed": true, "ops": {}})",
        R"({"allowed": true, "ops": ["x"]})",
        R"({"allowed": true, "ops": [{"op": "add", "path": "/pstate/x"}]})",
        R"({"allowed": true, "ops": [{"op": "add", "path": "/pstate/", "value": 1}]})",
        R"({"allowed": true, "ops": [{"op": "replace", "path": "/pstate", "value": {}}]})",
        R"({"allowed": true, "ops": [{"op": "add", "path": "/policy_data/x", "value": 1}]})",
        R"({"allowed": true, "ops": [{"op": "copy", "path": "/pstate/x", "from": "/secret"}]})",
        R"({"allowed": true, "ops": [{"op": "run", "path": "/pstate/x"}]})",
        R"({"allowed": true, "ops": [{"op": "add", "path": "/pstate/web", "value": "default"},
                                     {"op": "add", "path": "/pstate/web", "value": 0}]})"}) {
    const auto verdict = Read(value);
    ASSERT_FALSE(verdict) << value;
    EXPECT_EQ(verdict.error().code(), Code::kPermissionDenied) << value;
  }
}

TEST(Verdict, TheDenialNamesTheRequestAndQuotesThePrints) {
  const auto verdict = ReadVerdict("ExecProcessRequest", {json(false), {"one", "two"}}, "");
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().message(),
            "ExecProcessRequest is blocked by policy: its rule says no. one two");
  const auto undefined = ReadVerdict("ExecProcessRequest", {std::nullopt, {}}, "");
  ASSERT_FALSE(undefined);
  EXPECT_EQ(undefined.error().message(),
            "ExecProcessRequest is blocked by policy: no rule allows it.");
  const auto large = ReadVerdict("X", {json(false), {std::string(100'000, 'x')}}, "");
  ASSERT_FALSE(large);
  EXPECT_LT(large.error().message().size(), 9'000U);
}

}  // namespace
}  // namespace kata_cc::agent
