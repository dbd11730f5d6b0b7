// SPDX-License-Identifier: Apache-2.0
#include "proto/oci/spec.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace kata_cc::oci {
namespace {

constexpr char kSpec[] = R"({
  "ociVersion": "1.0.2-dev", "hostname": "web", "unknownKey": {"a": [1, 2]},
  "process": {"terminal": true, "consoleSize": {"height": 24, "width": 80},
    "user": {"uid": 1000, "gid": 100, "additionalGids": [10, 20]},
    "args": ["sh", "-c", "true"], "env": ["A=b"], "cwd": "/",
    "capabilities": {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 1024}],
    "noNewPrivileges": true, "oomScoreAdj": -998},
  "root": {"path": "rootfs", "readonly": true},
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]}],
  "annotations": {"io.kubernetes.cri.container-type": "sandbox"},
  "linux": {
    "resources": {"devices": [{"allow": false, "access": "rwm"}], "memory": {"limit": 1048576},
      "cpu": {"quota": 50000, "period": 100000, "cpus": "0-1"}, "pids": {"limit": 7}},
    "cgroupsPath": "/x", "namespaces": [{"type": "pid"}, {"type": "network", "path": "/n"}],
    "maskedPaths": ["/proc/kcore"], "seccomp": {"defaultAction": "SCMP_ACT_ERRNO",
      "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}]}}})";

TEST(OciSpecTest, ReadsEveryPart) {
  const auto spec = ParseSpec(kSpec);
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->version(), "1.0.2-dev");
  EXPECT_EQ(spec->process().user().additionalgids(1), 20U);
  EXPECT_EQ(spec->process().rlimits(0).hard(), UINT64_MAX);
  EXPECT_EQ(spec->process().oomscoreadj(), -998);
  EXPECT_EQ(spec->process().consolesize().width(), 80U);
  EXPECT_EQ(spec->process().capabilities().permitted(0), "CAP_KILL");
  EXPECT_TRUE(spec->root().readonly());
  EXPECT_EQ(spec->mounts(0).options(0), "nosuid");
  EXPECT_EQ(spec->annotations().at("io.kubernetes.cri.container-type"), "sandbox");
  EXPECT_EQ(spec->linux().resources().memory().limit(), 1048576);
  EXPECT_EQ(spec->linux().resources().cpu().cpus(), "0-1");
  EXPECT_EQ(spec->linux().namespaces(1).path(), "/n");
  EXPECT_EQ(spec->linux().seccomp().syscalls(0).errnoret(), 1U);
}

TEST(OciSpecTest, AWrongTypeNamesTheKey) {
  const auto spec = ParseSpec(R"({"ociVersion":"1.0","process":{"user":{"uid":"root"}}})");
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code(), Code::kInvalidArgument);
  EXPECT_NE(spec.error().message().find("process.user.uid: not an integer"), std::string::npos)
      << spec.error().message();
}

TEST(OciSpecTest, RefusesWhatIsNoSpec) {
  const char* const bad[] = {
      "",
      "[]",
      "{",
      "{}",
      "null",
      "\xff\xfe",
      R"({"ociVersion":1})",
      R"({"ociVersion":"1.0","mounts":{}})",
      R"({"ociVersion":"1.0","ociVersion":"1.0"})",
      R"({"ociVersion":"1.0","process":{"args":["a\u0000b"]}})",
      R"({"ociVersion":"1.0","process":{"user":{"uid":4294967296}}})",
      R"({"ociVersion":"1.0","process":{"user":{"uid":-1}}})",
      R"({"ociVersion":"1.0","linux":{"resources":{"memory":{"limit":9223372036854775808}}}})",
      R"({"ociVersion":"1.0"} trailing)"};
  for (const char* text : bad) {
    const auto spec = ParseSpec(text);
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code(), Code::kInvalidArgument) << text;
  }
}

TEST(OciSpecTest, RefusesDeepAndLargeDocuments) {
  const std::string deep = R"({"ociVersion":"1.0","x":)" + std::string(100000, '[');
  EXPECT_FALSE(ParseSpec(deep));
  const std::string large =
      R"({"ociVersion":"1.0","x":")" + std::string(std::size_t{9} << 20, 'a') + "\"}";
  EXPECT_FALSE(ParseSpec(large));
}

TEST(OciSpecTest, ABundleWithoutConfigIsNotFound) {
  char pattern[] = "/tmp/oci_spec_test.XXXXXX";
  const std::string bundle = ::mkdtemp(pattern);
  EXPECT_EQ(ReadBundleSpec(bundle).error().code(), Code::kNotFound);
  std::ofstream(bundle + "/config.json") << kSpec;
  EXPECT_TRUE(ReadBundleSpec(bundle));
  std::filesystem::remove_all(bundle);
}

TEST(OciSpecTest, ReadsAProcessAndResources) {
  EXPECT_EQ(ParseProcess(R"({"args":["ls"],"cwd":"/"})")->args(0), "ls");
  EXPECT_EQ(ParseLinuxResources(R"({"cpu":{"shares":512}})")->cpu().shares(), 512U);
}

}  // namespace
}  // namespace kata_cc::oci
