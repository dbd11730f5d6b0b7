// SPDX-License-Identifier: Apache-2.0
#include "proto/oci/spec_writer.h"

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/oci/spec.h"

namespace kata_cc::oci {
namespace {

constexpr const char* kFull = R"({
  "ociVersion": "1.0.2",
  "process": {"terminal": true, "consoleSize": {"height": 24, "width": 80},
    "user": {"uid": 1, "gid": 2, "additionalGids": [3, 4]}, "args": ["a", "b c"],
    "env": ["X=\"1\"\n", "Y=\u00fc"], "cwd": "/w",
    "capabilities": {"bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": []},
    "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 18446744073709551615, "soft": 2}],
    "noNewPrivileges": true, "oomScoreAdj": -998},
  "root": {"path": "/r", "readonly": true}, "hostname": "h",
  "mounts": [{"destination": "/p", "type": "proc", "source": "proc", "options": ["nosuid"]}],
  "annotations": {"k": "v"},
  "linux": {"sysctl": {"net.ipv4.ip_forward": "1"}, "cgroupsPath": "/c",
    "resources": {"devices": [{"allow": false, "access": "rwm"},
        {"allow": true, "type": "c", "major": 0, "minor": 3, "access": "rw"}],
      "memory": {"limit": 1048576, "swap": -1}, "cpu": {"shares": 2, "quota": -1, "period": 100000},
      "pids": {"limit": 10}, "hugepageLimits": [{"pageSize": "2MB", "limit": 5}]},
    "namespaces": [{"type": "pid"}, {"type": "ipc", "path": "/proc/1/ns/ipc"}],
    "devices": [{"path": "/dev/x", "type": "b", "major": 8, "minor": 0, "fileMode": 432,
      "uid": 1, "gid": 6}],
    "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
      "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "errnoRet": 0,
        "args": [{"index": 1, "value": 2, "valueTwo": 3, "op": "SCMP_CMP_EQ"}]}]},
    "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/bus"], "rootfsPropagation": "rslave"}
})";

TEST(SpecWriter, WhatItWritesReadsBackTheSame) {
  const auto spec = ParseSpec(kFull);
  ASSERT_TRUE(spec) << spec.error().message();
  const auto text = WriteSpec(*spec);
  ASSERT_TRUE(text) << text.error().message();
  const auto again = ParseSpec(*text);
  ASSERT_TRUE(again) << again.error().message();
  std::string difference;
  google::protobuf::util::MessageDifferencer differ;
  differ.ReportDifferencesToString(&difference);
  EXPECT_TRUE(differ.Compare(*spec, *again)) << difference;
}

TEST(SpecWriter, ProcessAndResourcesStandAlone) {
  const auto spec = ParseSpec(kFull);
  ASSERT_TRUE(spec);
  const auto process = ParseProcess(*WriteProcess(spec->process()));
  ASSERT_TRUE(process);
  EXPECT_EQ(process->args(1), "b c");
  EXPECT_EQ(process->rlimits(0).hard(), UINT64_MAX);
  const auto resources = ParseLinuxResources(*WriteLinuxResources(spec->linux().resources()));
  ASSERT_TRUE(resources);
  EXPECT_EQ(resources->cpu().quota(), -1);
  EXPECT_EQ(resources->devices(1).minor(), 3);
}

TEST(SpecWriter, TextThatNoConsumerCanKeepIsRefused) {
  grpc::Process process;
  process.add_args(std::string("a\0b", 3));
  EXPECT_FALSE(WriteProcess(process));
  process.set_args(0, "\xff\xfe");
  EXPECT_FALSE(WriteProcess(process));
  process.set_args(0, "\\u0000");
  EXPECT_TRUE(WriteProcess(process)) << "a backslash and letters are text as any other";
}

}  // namespace
}  // namespace kata_cc::oci
