// SPDX-License-Identifier: Apache-2.0
#include "shim/sandbox/pod_identity.h"

#include <gtest/gtest.h>

namespace kata_cc::shim {
namespace {

TEST(PodIdentityTest, WithoutAnnotationsAContainerIsItsOwnSandbox) {
  const auto identity = ReadPodIdentity({}, "web");
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->type, ContainerType::kSingle);
  EXPECT_EQ(identity->sandbox_id, "web");
}

TEST(PodIdentityTest, ReadsContainerdsAndCrioAnnotations) {
  Annotations pause;
  pause["io.kubernetes.cri.container-type"] = "sandbox";
  EXPECT_EQ(ReadPodIdentity(pause, "pod1")->type, ContainerType::kSandbox);
  Annotations app;
  app["io.kubernetes.cri.container-type"] = "container";
  app["io.kubernetes.cri.sandbox-id"] = "pod1";
  EXPECT_EQ(ReadPodIdentity(app, "app")->type, ContainerType::kInPod);
  EXPECT_EQ(ReadPodIdentity(app, "app")->sandbox_id, "pod1");
  Annotations crio;
  crio["io.kubernetes.cri-o.ContainerType"] = "container";
  crio["io.kubernetes.cri-o.SandboxID"] = "pod2";
  EXPECT_EQ(ReadPodIdentity(crio, "app")->sandbox_id, "pod2");
}

TEST(PodIdentityTest, RefusesWhatItDoesNotUnderstand) {
  Annotations unknown;
  unknown["io.kubernetes.cri.container-type"] = "sidecar";
  const auto identity = ReadPodIdentity(unknown, "web");
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code(), Code::kInvalidArgument);
  EXPECT_NE(identity.error().message().find("unknown value: sidecar"), std::string::npos);

  Annotations lost;
  lost["io.kubernetes.cri.container-type"] = "container";
  EXPECT_FALSE(ReadPodIdentity(lost, "web"));
  lost["io.kubernetes.cri.sandbox-id"] = "../../etc";
  EXPECT_FALSE(ReadPodIdentity(lost, "web"));
  lost["io.kubernetes.cri.sandbox-id"] = "web";
  EXPECT_FALSE(ReadPodIdentity(lost, "web"));

  Annotations torn;
  torn["io.kubernetes.cri.container-type"] = "sandbox";
  torn["io.kubernetes.cri.sandbox-id"] = "other";
  EXPECT_FALSE(ReadPodIdentity(torn, "web"));
  torn.erase("io.kubernetes.cri.sandbox-id");
  torn["io.kubernetes.cri-o.ContainerType"] = "container";
  torn["io.kubernetes.cri-o.SandboxID"] = "other";
  EXPECT_FALSE(ReadPodIdentity(torn, "web"));
}

TEST(PodIdentityTest, RefusesIdsThatAreNoNames) {
  using namespace std::string_literals;
  for (const std::string& id : {""s, "."s, ".."s, "a/b"s, "../a"s, "a\0b"s, "-a"s, "a b"s, "a\nb"s,
                                std::string(10000, 'a'), std::string(77, 'a'), "\xc3\xa4"s}) {
    EXPECT_FALSE(CheckId("id", id)) << id;
    EXPECT_FALSE(ReadPodIdentity({}, id)) << id;
  }
  for (const std::string& id : {"a"s, "a.b_c-D9"s, std::string(76, '0')})
    EXPECT_TRUE(CheckId("id", id)) << id;
}

}  // namespace
}  // namespace kata_cc::shim
