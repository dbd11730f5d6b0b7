// SPDX-License-Identifier: Apache-2.0
#include "shim/ctl/pod_yaml.h"

#include <gtest/gtest.h>

namespace kata_cc::ctl {
namespace {

std::vector<Pod> Read(const std::string& yaml) {
  Result<std::vector<Pod>> pods = ReadPods(yaml);
  EXPECT_TRUE(pods) << pods.error().message();
  return pods ? *std::move(pods) : std::vector<Pod>();
}

TEST(PodYamlTest, EveryKindThatMakesPodsIsRead) {
  const auto pods = Read(R"(
kind: Pod
metadata: {name: one, annotations: {key: "value"}}
spec: {runtimeClassName: kata-cc, containers: [{name: c}]}
---
kind: Service
metadata: {name: none}
---
---
kind: CronJob
metadata: {name: two}
spec: {jobTemplate: {spec: {template: {metadata: {annotations: {key: v2}}, spec: {}}}}}
---
kind: List
items:
- kind: Deployment
  metadata: {name: three, annotations: {key: "the deployment's own"}}
  spec: {template: {metadata: {annotations: {key: v3}}, spec: {}}}
- kind: ConfigMap
)");
  ASSERT_EQ(pods.size(), 3U);
  EXPECT_EQ(pods[0].name, "one");
  EXPECT_EQ(pods[0].runtime_class, "kata-cc");
  EXPECT_EQ(pods[0].annotations.at("key"), "value");
  EXPECT_EQ(pods[1].annotations.at("key"), "v2");
  EXPECT_EQ(pods[2].annotations.at("key"), "v3");
}

std::int64_t Limit(const std::string& spec) {
  return Read("kind: Pod\nspec: " + spec).at(0).cpu_limit_milli;
}

TEST(PodYamlTest, LimitsAreSummedAsTheKubeletDoes) {
  const auto one = [](const std::string& cpu, const std::string& more = "") {
    return "{resources: {limits: {cpu: " + cpu + "}}" + more + "}";
  };
  EXPECT_EQ(Limit("{containers: [{}, {resources: {requests: {cpu: 9}}}]}"), 0);
  EXPECT_EQ(Limit("{containers: [" + one("500m") + ", " + one("1.5") + "]}"), 2000);
  EXPECT_EQ(Limit("{initContainers: [" + one("3") + "], containers: [" + one("1") + "]}"), 3000);
  EXPECT_EQ(Limit("{initContainers: [" + one("1", ", restartPolicy: Always") + ", " + one("3") +
                  "], containers: [" + one("1") + "]}"),
            4000);
  EXPECT_EQ(Limit("{initContainers: [" + one("1", ", restartPolicy: Always") + "], containers: [" +
                  one("1") + "]}"),
            2000);
  EXPECT_EQ(Limit("{resources: {limits: {cpu: 4}}, containers: [" + one("1") + "]}"), 4000);
}

TEST(PodYamlTest, WhatIsNoPodIsRefused) {
  for (const char* yaml :
       {"kind: [", "- a", "text", "kind: Pod\nspec: []", "kind: {a: b}",
        "kind: Pod\nmetadata: {annotations: {a: [1]}}", "kind: Pod\nmetadata: {annotations: x}",
        "kind: Pod\nspec: {containers: [{resources: {limits: {cpu: many}}}]}", "a: &x [*y]"}) {
    EXPECT_FALSE(ReadPods(yaml)) << yaml;
  }
  EXPECT_TRUE(Read("").empty());
  EXPECT_FALSE(ReadPods("kind: " + std::string(100000, '[')));
}

TEST(PodYamlTest, QuantitiesOfCpus) {
  const std::pair<const char*, std::int64_t> good[] = {
      {"0", 0},      {"1", 1000},     {"0.1", 100},  {".5", 500}, {"2.", 2000},    {"100m", 100},
      {"1m", 1},     {"0.5m", 1},     {"1u", 1},     {"1n", 1},   {"1k", 1000000}, {"1e1", 10000},
      {"1E-1", 100}, {"1e+1", 10000}, {"0.0001", 1}, {"0e30", 0}};
  for (const auto& [text, milli] : good) {
    const Result<std::int64_t> parsed = ParseCpuMilli(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, milli) << text;
  }
  for (const char* text : {"", "m", "-1", "1x", "1Gi", "1e", "1e99", "1..2", "1e1x", " 1", "9e30",
                           "123456789012345678901234567890"}) {
    EXPECT_FALSE(ParseCpuMilli(text)) << text;
  }
}

}  // namespace
}  // namespace kata_cc::ctl
