// SPDX-License-Identifier: Apache-2.0
// kata-ccctl rego check knows the agent's requests: those of the service that the agent serves.
#include <gtest/gtest.h>

#include <set>

#include "proto/agent.pb.h"
#include "shim/ctl/run_ctl.h"

namespace kata_cc::ctl {
namespace {

std::set<std::string> RequestNames() {
  std::set<std::string> out;  // Two methods may share one.
  const auto* service =
      grpc::SetPolicyRequest::descriptor()->file()->FindServiceByName("AgentService");
  for (int i = 0; i < service->method_count(); ++i)
    out.insert(service->method(i)->input_type()->name());
  return out;
}

CtlResult Check(const TestDir& dir, const std::string& rules) {
  const std::string text = "package agent_policy\n" + rules;
  return RunCtl({"rego", "check", dir.Write("policy.rego", AsBytes(text))});
}

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++out;
  return out;
}

TEST(RegoCheck, EveryRequestOfTheServiceIsKnown) {
  const TestDir dir;
  ASSERT_GT(RequestNames().size(), 30U);
  for (const char* setting : {"explain_denials", "ReadStreamDeniedAsEmpty"}) {
    EXPECT_EQ(Check(dir, "default " + std::string(setting) + " := true\n").output, "no findings\n");
  }
  std::string rules;
  for (const std::string& name : RequestNames())
    rules += "default " + name + " := true\n";
  EXPECT_EQ(Check(dir, rules).output, "no findings\n");
}

TEST(RegoCheck, AMisspeltRequestIsNamed) {
  const TestDir dir;
  const std::string ending = "Request";
  std::string wrong;
  for (const std::string& name : RequestNames()) {
    if (!name.ends_with(ending)) continue;
    wrong += "default " + name.substr(0, name.size() - ending.size()) + "xRequest := true\n";
  }
  const CtlResult result = Check(dir, wrong);
  EXPECT_EQ(result.exit_code, 1);
  for (const std::string& name : RequestNames()) {
    if (!name.ends_with(ending)) continue;
    EXPECT_EQ(Count(result.output, "did you mean " + name + "?"), 1U) << name << result.output;
  }
  // Kata's own policies have this one, which no agent asks for.
  EXPECT_NE(Check(dir, "default GetVolumeStatsRequest := true\n")
                .output.find("did you mean VolumeStatsRequest?"),
            std::string::npos);
}

}  // namespace
}  // namespace kata_cc::ctl
