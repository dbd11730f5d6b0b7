// SPDX-License-Identifier: Apache-2.0
#include "shim/guest/guest_spec.h"

#include <gtest/gtest.h>

#include <regex>

#include "shim/sandbox/launch_data.h"

namespace kata_cc::shim {
namespace {

grpc::LinuxNamespace* AddNamespace(grpc::Spec* spec, const char* type, const char* path) {
  grpc::LinuxNamespace* added = spec->mutable_linux()->add_namespaces();
  added->set_type(type);
  added->set_path(path);
  return added;
}

TEST(GuestSpecTest, RemovesWhatBelongsToTheHost) {
  grpc::Spec spec;
  spec.mutable_root()->set_path("/run/containerd/bundle/rootfs");
  spec.mutable_hooks()->add_prestart()->set_path("/bin/hook");
  (*spec.mutable_annotations())[kPolicyAnnotation] = "p";
  (*spec.mutable_annotations())[kInitdataAnnotation] = "i";
  (*spec.mutable_annotations())["kept"] = "k";
  auto& resources = *spec.mutable_linux()->mutable_resources();
  resources.add_devices()->set_allow(true);
  resources.mutable_pids()->set_limit(3);
  resources.mutable_cpu()->set_cpus("0");
  resources.mutable_cpu()->set_shares(512);
  spec.mutable_linux()->mutable_seccomp()->set_defaultaction("SCMP_ACT_ERRNO");
  AddNamespace(&spec, "pid", "");
  AddNamespace(&spec, "network", "/var/run/netns/x");
  AddNamespace(&spec, "ipc", "/proc/1/ns/ipc");
  AddNamespace(&spec, "cgroup", "");

  const auto guest = MakeGuestSpec(spec, {.container_id = "web", .sandbox_id = "pod"});
  ASSERT_TRUE(guest) << guest.error().message();
  const grpc::Spec& out = guest->spec;
  EXPECT_EQ(out.root().path(), "/run/kata-containers/web/rootfs");
  EXPECT_FALSE(out.has_hooks());
  EXPECT_EQ(out.annotations().size(), 1U);
  EXPECT_EQ(out.linux().resources().devices_size(), 0);
  EXPECT_FALSE(out.linux().resources().has_pids());
  EXPECT_EQ(out.linux().resources().cpu().cpus(), "");
  EXPECT_EQ(out.linux().resources().cpu().shares(), 512U);
  EXPECT_FALSE(out.linux().has_seccomp());
  ASSERT_EQ(out.linux().namespaces_size(), 2);
  EXPECT_EQ(out.linux().namespaces(0).type(), "pid");
  EXPECT_EQ(out.linux().namespaces(1).path(), "");
  EXPECT_FALSE(guest->sandbox_pidns);
}

TEST(GuestSpecTest, AJoinedPidNamespaceIsTheSandboxs) {
  grpc::Spec spec;
  AddNamespace(&spec, "pid", "/proc/1/ns/pid");
  const auto guest = MakeGuestSpec(spec, {.container_id = "web", .sandbox_id = "pod"});
  EXPECT_TRUE(guest->sandbox_pidns);
  EXPECT_EQ(guest->spec.linux().namespaces_size(), 0);
}

TEST(GuestSpecTest, BindMountsBecomeCopiesUnderKatasNames) {
  grpc::Spec spec;
  grpc::Mount* hosts = spec.add_mounts();
  hosts->set_destination("/etc/hosts");
  hosts->set_source("/var/lib/kubelet/pods/x/etc-hosts");
  hosts->add_options("rbind");
  grpc::Mount* shm = spec.add_mounts();
  shm->set_destination("/dev/shm");
  shm->set_type("bind");
  shm->set_source("/run/containerd/shm");
  const auto guest = MakeGuestSpec(spec, {.container_id = "web", .sandbox_id = "pod"});
  ASSERT_TRUE(guest);
  ASSERT_EQ(guest->copies.size(), 1U);
  EXPECT_EQ(guest->copies[0].host_path, "/var/lib/kubelet/pods/x/etc-hosts");
  EXPECT_TRUE(std::regex_match(
      guest->copies[0].guest_path,
      std::regex("/run/kata-containers/shared/containers/web-[0-9a-f]{16}-hosts")));
  EXPECT_EQ(guest->spec.mounts(0).source(), guest->copies[0].guest_path);
  EXPECT_EQ(guest->spec.mounts(1).source(), kGuestShm);
}

TEST(GuestSpecTest, AConfidentialSandboxTakesNoVolumeOfTheHost) {
  grpc::Spec spec;
  grpc::Mount* mount = spec.add_mounts();
  mount->set_destination("/data");
  mount->set_type("bind");
  mount->set_source("/srv/data");
  GuestSpecOptions options{.container_id = "web", .sandbox_id = "pod"};
  EXPECT_TRUE(MakeGuestSpec(spec, options));
  options.confidential = true;
  const auto refused = MakeGuestSpec(spec, options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message().find("hostPath"), std::string::npos);
  EXPECT_NE(refused.error().message().find("/srv/data"), std::string::npos);
  mount->set_source("/var/lib/kubelet/pods/0/volumes/kubernetes.io~secret/token");
  EXPECT_TRUE(MakeGuestSpec(spec, options));
}

TEST(GuestSpecTest, RefusesToShareTheHostsDevices) {
  for (const char* source : {"/dev/sda", "/proc", "/sys/fs", "relative", "", "/a/../dev/sda"}) {
    grpc::Spec spec;
    grpc::Mount* mount = spec.add_mounts();
    mount->set_destination("/x");
    mount->set_type("bind");
    mount->set_source(source);
    EXPECT_FALSE(MakeGuestSpec(spec, {.container_id = "web", .sandbox_id = "pod"})) << source;
  }
}

TEST(GuestSpecTest, AnExecCarriesNoCapabilities) {
  grpc::Process process;
  process.add_args("ls");
  process.mutable_capabilities()->add_bounding("CAP_SYS_ADMIN");
  process.mutable_user()->set_uid(7);
  const grpc::Process out = MakeGuestExec(process, true);
  EXPECT_FALSE(out.has_capabilities());
  EXPECT_TRUE(out.terminal());
  EXPECT_EQ(out.user().uid(), 7U);
  EXPECT_EQ(out.args(0), "ls");
}

}  // namespace
}  // namespace kata_cc::shim
