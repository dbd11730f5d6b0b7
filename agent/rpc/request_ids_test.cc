// SPDX-License-Identifier: Apache-2.0
#include "agent/rpc/request_ids.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/agent.pb.h"

namespace kata_cc::agent {
namespace {

using namespace std::string_literals;

TEST(RequestIds, AreFileNamesThatMeanNothingElse) {
  for (const auto& id : {"a"s, "web-1.x_Y"s, std::string(64, 'f'), std::string(128, '0')}) {
    EXPECT_TRUE(IsValidId(id)) << id;
  }
  for (const auto& id : {""s, "."s, ".."s, "../x"s, "a/b"s, "-a"s, "a b"s, "a\0b"s, "a~1b"s,
                         "\xc3\xbc"s, std::string(129, 'a'), std::string(10'000, 'a')}) {
    EXPECT_FALSE(IsValidId(id)) << id;
  }
}

TEST(RequestIds, AreCheckedWhereverARequestHasThem) {
  grpc::ExecProcessRequest exec;
  EXPECT_FALSE(CheckRequestIds(exec));  // No container.
  exec.set_container_id("web");
  EXPECT_TRUE(CheckRequestIds(exec));
  exec.set_exec_id("../1");
  EXPECT_FALSE(CheckRequestIds(exec));
  EXPECT_EQ(ContainerIdOf(exec), "web");

  grpc::CreateSandboxRequest sandbox;
  EXPECT_TRUE(CheckRequestIds(sandbox));
  sandbox.set_sandbox_id("/");
  EXPECT_FALSE(CheckRequestIds(sandbox));
  EXPECT_EQ(ContainerIdOf(sandbox), "");
  EXPECT_TRUE(CheckRequestIds(grpc::GetOOMEventRequest()));
}

}  // namespace
}  // namespace kata_cc::agent
