// SPDX-License-Identifier: Apache-2.0
#include "agent/container/guest_spec.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace kata_cc::agent {
namespace {

namespace fs = std::filesystem;

class GuestSpecTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(dir_.data()), nullptr);
    root_ = *OpenFile(dir_, O_PATH | O_DIRECTORY);
    context_.run_dir = dir_;
    context_.run_root = &root_;
    context_.bundle = dir_;
    context_.cgroup_path = "/kata-cc/web";
    context_.rootfs = "/the/rootfs";
    context_.ipc = "/proc/1/fd/7";
    request_.set_container_id("web");
    grpc::Spec& spec = *request_.mutable_oci();
    spec.set_version("1.0.2");
    spec.mutable_root()->set_path("/from/the/host");
    spec.mutable_process()->add_args("sh");
    spec.mutable_process()->set_cwd("/");
  }
  void TearDown() override { fs::remove_all(dir_); }

  Code With(const std::function<void(grpc::Spec&)>& change) {
    auto request = request_;
    change(*request.mutable_oci());
    const auto spec = MakeGuestSpec(request, context_);
    return spec ? Code{0} : spec.error().code();
  }

  std::string dir_ = testing::TempDir() + "spec-XXXXXX";
  UniqueFd root_;
  GuestSpecContext context_;
  grpc::CreateContainerRequest request_;
};

TEST_F(GuestSpecTest, TheRuntimeGetsAVersionThatItKnows) {
  request_.mutable_oci()->set_version("1.2.1");  // containerd 2's.
  const auto made = MakeGuestSpec(request_, context_);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->spec.version(), "1.0.2");
  EXPECT_EQ(With([](grpc::Spec& s) { s.set_version("2.0.0"); }), Code::kInvalidArgument);
}

TEST_F(GuestSpecTest, EachContainerHasItsNamespacesWhateverTheHostLeftOut) {
  const auto made = MakeGuestSpec(request_, context_);
  ASSERT_TRUE(made);
  std::map<std::string, std::string> namespaces;
  for (const auto& one : made->spec.linux().namespaces())
    namespaces[one.type()] = one.path();
  EXPECT_EQ(namespaces,
            (std::map<std::string, std::string>{
                {"mount", ""}, {"cgroup", ""}, {"pid", ""}, {"ipc", "/proc/1/fd/7"}, {"uts", ""}}));
  EXPECT_EQ(made->spec.root().path(), "/the/rootfs");
  EXPECT_EQ(made->spec.linux().cgroupspath(), "/kata-cc/web");
}

TEST_F(GuestSpecTest, DevicesAreDeniedButForTheStandardOnes) {
  (*request_.mutable_oci()->mutable_linux()->mutable_resources()->add_devices()).set_allow(true);
  const auto made = MakeGuestSpec(request_, context_);
  ASSERT_TRUE(made);
  const auto& rules = made->spec.linux().resources().devices();
  EXPECT_FALSE(rules[0].allow());
  EXPECT_EQ(rules[0].access(), "rwm");
  for (int i = 1; i < rules.size(); ++i) {
    EXPECT_TRUE(rules[i].allow());
    EXPECT_FALSE(rules[i].type().empty()) << "no rule for all devices";
    EXPECT_TRUE(rules[i].type() != "b" || rules[i].access() == "m") << "nodes only";
  }
}

TEST_F(GuestSpecTest, OrdersForTheRuntimeAreDropped) {
  grpc::Spec& spec = *request_.mutable_oci();
  (*spec.mutable_annotations())["run.oci.handler"] = "krun";
  spec.set_hostname("host");
  spec.mutable_process()->set_apparmorprofile("cri-containerd.apparmor.d");
  spec.mutable_process()->set_selinuxlabel("label");
  spec.mutable_linux()->add_namespaces()->set_type("network");
  spec.mutable_linux()->set_cgroupspath("kubepods-pod1.slice:cri-containerd:web");
  const auto made = MakeGuestSpec(request_, context_);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->spec.annotations().empty());
  EXPECT_EQ(made->spec.hostname(), "");
  EXPECT_EQ(made->spec.process().apparmorprofile(), "");
  EXPECT_EQ(made->spec.process().selinuxlabel(), "");
  for (const auto& one : made->spec.linux().namespaces())
    EXPECT_NE(one.type(), "network");
}

TEST_F(GuestSpecTest, WhatIsNoContainerIsRefused) {
  EXPECT_EQ(With([](grpc::Spec&) {}), Code{0});
  const std::vector<std::function<void(grpc::Spec&)>> wrong = {
      [](grpc::Spec& s) { s.clear_version(); },
      [](grpc::Spec& s) { s.clear_process(); },
      [](grpc::Spec& s) { s.mutable_process()->clear_args(); },
      [](grpc::Spec& s) { s.mutable_process()->set_cwd("relative"); },
      [](grpc::Spec& s) { s.mutable_hooks()->add_prestart()->set_path("/bin/sh"); },
      [](grpc::Spec& s) { s.mutable_windows(); },
      [](grpc::Spec& s) { s.mutable_linux()->add_namespaces()->set_type("user"); },
      [](grpc::Spec& s) { s.mutable_linux()->add_uidmappings(); },
      [](grpc::Spec& s) {
        auto& one = *s.mutable_linux()->add_namespaces();
        one.set_type("mount");
        one.set_path("/proc/1/ns/mnt");
      },
      [](grpc::Spec& s) {
        auto& device = *s.mutable_linux()->add_devices();
        device.set_path("/dev/mem");
        device.set_type("c");
      },
  };
  for (std::size_t i = 0; i < wrong.size(); ++i)
    EXPECT_EQ(With(wrong[i]), Code::kInvalidArgument) << i;
  request_.clear_oci();
  EXPECT_FALSE(MakeGuestSpec(request_, context_));
}

TEST_F(GuestSpecTest, MountsLeadNowhereButToWhatIsPrepared) {
  fs::create_symlink("/etc", dir_ + "/link");
  const auto with_mount = [&](const std::string& type, const std::string& source,
                              const std::string& destination) {
    return With([&](grpc::Spec& s) {
      grpc::Mount& mount = *s.add_mounts();
      mount.set_type(type);
      mount.set_source(source);
      mount.set_destination(destination);
    });
  };
  EXPECT_EQ(with_mount("proc", "proc", "/proc"), Code{0});
  EXPECT_EQ(with_mount("tmpfs", "tmpfs", "/tmp"), Code{0});
  EXPECT_EQ(with_mount("tmpfs", "tmpfs", "tmp"), Code::kInvalidArgument);
  for (const char* type : {"ext4", "overlay", "9p", "fuse", "devtmpfs", "debugfs", ""})
    EXPECT_EQ(with_mount(type, "/dev/vda", "/mnt"), Code::kInvalidArgument) << type;
  for (const std::string& source :
       {std::string("/"), std::string("/etc"), std::string("/dev"), std::string("relative"),
        dir_ + "/../x", dir_ + "/link", dir_ + "/link/passwd"})
    EXPECT_EQ(with_mount("bind", source, "/mnt"), Code::kInvalidArgument) << source;
  EXPECT_EQ(with_mount("bind", dir_ + "/absent", "/mnt"), Code::kNotFound);
  EXPECT_EQ(With([](grpc::Spec& s) {
              grpc::Mount& mount = *s.add_mounts();
              mount.set_type("none");
              mount.set_source("/proc");
              mount.set_destination("/mnt");
              mount.add_options("rbind");
            }),
            Code::kInvalidArgument);
}

TEST_F(GuestSpecTest, NetworkSysctlsAreTheGuests) {
  auto& sysctls = *request_.mutable_oci()->mutable_linux()->mutable_sysctl();
  sysctls["net.ipv4.ip_unprivileged_port_start"] = "0";
  sysctls["net/ipv4/conf/eth0.1/forwarding"] = "1";
  sysctls["kernel.shm_rmid_forced"] = "1";
  const auto made = MakeGuestSpec(request_, context_);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->network_sysctls,
            (std::map<std::string, std::string>{{"net/ipv4/ip_unprivileged_port_start", "0"},
                                                {"net/ipv4/conf/eth0.1/forwarding", "1"}}));
  ASSERT_EQ(made->spec.linux().sysctl().size(), 1U);
  for (const char* name :
       {"net..x", "net/../kernel/core_pattern", "", "net.", "net.a b", "/net/x"}) {
    EXPECT_EQ(With([&](grpc::Spec& s) { (*s.mutable_linux()->mutable_sysctl())[name] = "1"; }),
              Code::kInvalidArgument)
        << name;
  }
}

TEST(GuestExec, TakesFromTheContainerWhatKataLeavesOut) {
  grpc::Process init;
  init.mutable_capabilities()->add_bounding("CAP_KILL");
  init.add_rlimits()->set_type("RLIMIT_NOFILE");
  init.set_nonewprivileges(true);
  init.set_oomscoreadj(-998);
  grpc::Process exec;
  EXPECT_FALSE(MakeGuestExec(exec, init)) << "no arguments";
  exec.add_args("sh");
  const auto made = MakeGuestExec(exec, init);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->capabilities().bounding(0), "CAP_KILL");
  EXPECT_EQ(made->rlimits_size(), 1);
  EXPECT_TRUE(made->nonewprivileges());
  EXPECT_EQ(made->oomscoreadj(), -998);
  EXPECT_EQ(made->cwd(), "/");
}

}  // namespace
}  // namespace kata_cc::agent
