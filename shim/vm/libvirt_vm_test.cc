// SPDX-License-Identifier: Apache-2.0
// Real VMs (TCG): run by tests/e2e/vm_test.sh, which gives libvirt's URI, a kernel and an initrd
// with vm_test_init by the environment.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "shim/vm/domain_xml.h"
#include "shim/vm/vm.h"

namespace kata_cc::shim {
namespace {

using Clock = std::chrono::steady_clock;

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value != nullptr ? value : "";
}

bool Ended(const UniqueFd& pidfd, int timeout_ms) {
  pollfd watched = {pidfd.get(), POLLIN, 0};
  return ::poll(&watched, 1, timeout_ms) == 1;
}

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class LibvirtVmTest : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/libvirt_vm_test.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    dir_ = pattern;
    config_.name = "kata-cc-" + dir_.substr(dir_.rfind('.') + 1);
    config_.libvirt_uri = Environment("KATA_CC_LIBVIRT_URI");
    config_.kernel = Environment("KATA_CC_KERNEL");
    config_.initrd = Environment("KATA_CC_INITRD");
    config_.state_dir = dir_;
    config_.memory_mib = 512;
    ASSERT_FALSE(config_.libvirt_uri.empty()) << "run by tests/e2e/vm_test.sh";
  }
  void TearDown() override {
    vm_.reset();
    EXPECT_TRUE(DestroyVmByName(config_.libvirt_uri, config_.name).has_value());
    std::filesystem::remove_all(dir_);
  }

  std::string CreateAndStart() {
    Result<std::unique_ptr<Vm>> vm = Vm::Create(config_);
    if (!vm) return vm.error().message();
    vm_ = std::move(*vm);
    const Result<void> started = vm_->Start();
    return started ? "" : started.error().message();
  }

  std::string MakeDisk(const std::string& name, const std::string& magic) {
    std::string path = dir_ + "/" + name + ".img";
    std::ofstream(path) << magic << std::string(1024 * 1024 - magic.size(), '\0');
    return path;
  }

  // One line to the guest, one back.
  std::string Ask(const std::string& line) {
    const std::string text = line + "\n";
    if (::write(stream_.get(), text.data(), text.size()) < 0) return "cannot write";
    std::string answer;
    for (;;) {
      pollfd watched = {stream_.get(), POLLIN, 0};
      char c = 0;
      if (::poll(&watched, 1, 30000) != 1) return "no answer";
      if (::read(stream_.get(), &c, 1) != 1) return "end of stream";
      if (c == '\n') return answer;
      answer += c;
    }
  }

  std::string dir_;
  VmConfig config_;
  std::unique_ptr<Vm> vm_;
  UniqueFd stream_;
};

TEST_F(LibvirtVmTest, BootsTakesDisksAndEndsWithItsVmm) {
  const auto begin = Clock::now();
  ASSERT_EQ(CreateAndStart(), "");
  const double started = Since(begin);
  // While the guest boots, as the shim does it.
  const Result<void> early =
      vm_->AttachDisk({.id = "early", .path = MakeDisk("early", "EARLYDSK")});
  ASSERT_TRUE(early.has_value()) << early.error().message();
  Result<UniqueFd> stream = vm_->ConnectAgent(Clock::now() + std::chrono::seconds(60));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  stream_ = std::move(*stream);
  EXPECT_EQ(Ask("echo hello"), "hello");
  const double answered = Since(begin);
  EXPECT_EQ(Ask("disk early"), "EARLYDSK ro");

  const auto before_attach = Clock::now();
  const Result<void> late =
      vm_->AttachDisk({.id = "late", .path = MakeDisk("late", "LATEDISK"), .read_only = false});
  ASSERT_TRUE(late.has_value()) << late.error().message();
  EXPECT_EQ(Ask("disk late"), "LATEDISK rw");
  const double attached = Since(before_attach);
  EXPECT_EQ(vm_->AttachDisk({.id = "late", .path = dir_ + "/late.img"}).error().code(),
            Code::kAlreadyExists);
  EXPECT_EQ(vm_->AttachDisk({.id = "none", .path = dir_ + "/none.img"}).error().code(),
            Code::kNotFound);
  EXPECT_EQ(vm_->AttachDisk({.id = "dir", .path = dir_}).error().code(), Code::kInvalidArgument);

  const auto before_detach = Clock::now();
  const Result<void> detached = vm_->DetachDisk("late");
  ASSERT_TRUE(detached.has_value()) << detached.error().message();
  EXPECT_EQ(Ask("gone late"), "gone");
  const double detach = Since(before_detach);
  EXPECT_EQ(vm_->DetachDisk("late").error().code(), Code::kNotFound);
  const Result<void> again =  // In the same slot.
      vm_->AttachDisk({.id = "again", .path = MakeDisk("again", "AGAINDSK")});
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_EQ(Ask("disk again"), "AGAINDSK ro");
  EXPECT_NE(vm_->ConsoleTail().find("KATA-CC-BOOTED"), std::string::npos);

  const Result<UniqueFd> pidfd = vm_->OpenVmmPidfd();
  ASSERT_TRUE(pidfd.has_value());
  EXPECT_FALSE(Ended(*pidfd, 0));
  ASSERT_EQ(::kill(vm_->vmm_pid(), SIGKILL), 0);
  EXPECT_TRUE(Ended(*pidfd, 5000));
  const Result<UniqueFd> dead = vm_->ConnectAgent(Clock::now() + std::chrono::seconds(5));
  ASSERT_FALSE(dead.has_value());
  EXPECT_EQ(dead.error().code(), Code::kUnavailable);
  const auto before_stop = Clock::now();
  EXPECT_TRUE(vm_->Stop().has_value());
  EXPECT_TRUE(vm_->Stop().has_value());
  std::fprintf(stderr, "start %.2f s, answer %.2f s, attach %.2f s, detach %.2f s, stop %.2f s\n",
               started, answered, attached, detach, Since(before_stop));
}

TEST_F(LibvirtVmTest, TakesAsManyDisksAsThereAreSlotsWhenTheGuestEndsTheVmmEnds) {
  ASSERT_EQ(CreateAndStart(), "");
  const std::string path = MakeDisk("disk", "SOMEDISK");
  Result<void> attached;
  int count = 0;
  while (count <= kHotplugSlots) {
    attached = vm_->AttachDisk({.id = "d" + std::to_string(count), .path = path});
    if (!attached) break;
    ++count;
  }
  EXPECT_EQ(count, kHotplugSlots);
  EXPECT_EQ(attached.error().code(), Code::kResourceExhausted) << attached.error().message();
  Result<UniqueFd> stream = vm_->ConnectAgent(Clock::now() + std::chrono::seconds(120));
  ASSERT_TRUE(stream.has_value()) << stream.error().message();
  stream_ = std::move(*stream);
  for (int i = 0; i < count; ++i)
    EXPECT_EQ(Ask("disk d" + std::to_string(i)), "SOMEDISK ro") << i;
  const Result<UniqueFd> pidfd = vm_->OpenVmmPidfd();
  ASSERT_TRUE(pidfd.has_value());
  const std::string line = "exit\n";
  ASSERT_EQ(::write(stream_.get(), line.data(), line.size()), 5);
  EXPECT_TRUE(Ended(*pidfd, 20000));
}

TEST_F(LibvirtVmTest, AGuestThatNeverOpensItsPortIsAnErrorInTimeWithItsConsole) {
  config_.kernel_command_line = "kata_test.hang";
  ASSERT_EQ(CreateAndStart(), "");
  const auto begin = Clock::now();
  const Result<UniqueFd> stream = vm_->ConnectAgent(begin + std::chrono::seconds(15));
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code(), Code::kDeadlineExceeded);
  EXPECT_NE(stream.error().message().find("KATA-CC-BOOTED"), std::string::npos)
      << stream.error().message();
  EXPECT_LT(Since(begin), 17);
  const Result<UniqueFd> pidfd = vm_->OpenVmmPidfd();
  ASSERT_TRUE(pidfd.has_value());
  EXPECT_TRUE(vm_->Stop().has_value());
  EXPECT_TRUE(Ended(*pidfd, 1000));
}

TEST_F(LibvirtVmTest, AKernelThatPanicsIsAnErrorAtOnceWithItsConsole) {
  config_.kernel_command_line = "rdinit=/nonexistent";
  ASSERT_EQ(CreateAndStart(), "");
  const Result<UniqueFd> stream = vm_->ConnectAgent(Clock::now() + std::chrono::seconds(60));
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().code(), Code::kUnavailable) << stream.error().message();
  EXPECT_NE(stream.error().message().find("panic"), std::string::npos) << stream.error().message();
}

TEST_F(LibvirtVmTest, ADomainIsDestroyedByNameAfterItsShimDied) {
  ASSERT_EQ(CreateAndStart(), "");
  const Result<UniqueFd> pidfd = vm_->OpenVmmPidfd();
  ASSERT_TRUE(pidfd.has_value());
  Result<std::unique_ptr<Vm>> twin = Vm::Create(config_);
  ASSERT_TRUE(twin.has_value());
  EXPECT_FALSE((*twin)->Start().has_value());  // The name is taken.
  EXPECT_FALSE(Ended(*pidfd, 0));
  EXPECT_TRUE(DestroyVmByName(config_.libvirt_uri, config_.name).has_value());
  EXPECT_TRUE(Ended(*pidfd, 5000));
  EXPECT_TRUE(DestroyVmByName(config_.libvirt_uri, config_.name).has_value());
  EXPECT_TRUE(vm_->Stop().has_value());
}

TEST_F(LibvirtVmTest, WhatCannotStartSaysWhy) {
  const VmConfig good = config_;
  config_.kernel = dir_ + "/none";
  EXPECT_NE(CreateAndStart().find("none: No such file"), std::string::npos);
  config_ = good;
  config_.state_dir = dir_ + "/none";
  EXPECT_NE(CreateAndStart().find("state directory"), std::string::npos);
  config_ = good;
  config_.libvirt_uri = "qemu+unix:///system?socket=" + dir_ + "/none";
  EXPECT_NE(CreateAndStart().find("connect to qemu+unix"), std::string::npos);
  config_ = good;
  config_.qemu_path = "/bin/false";
  EXPECT_NE(CreateAndStart().find("start " + config_.name), std::string::npos);
  config_ = good;
  config_.tee = Tee::kSnp;  // Here there is no SNP: never anything else instead.
  const std::string error = CreateAndStart();
  for (const char* missing : {"cpu flag: ", "kernel parameter: ", "/dev/sev: ", "firmware: "})
    EXPECT_NE(error.find(missing), std::string::npos) << error;
}

TEST_F(LibvirtVmTest, NothingRunsThatWasNotStarted) {
  Result<std::unique_ptr<Vm>> vm = Vm::Create(config_);
  ASSERT_TRUE(vm.has_value());
  EXPECT_FALSE((*vm)->ConnectAgent(Clock::now()).has_value());
  EXPECT_FALSE((*vm)->AttachDisk({.id = "a", .path = "/dev/null"}).has_value());
  EXPECT_FALSE((*vm)->DetachDisk("a").has_value());
  EXPECT_FALSE((*vm)->OpenVmmPidfd().has_value());
  EXPECT_TRUE((*vm)->Stop().has_value());
  EXPECT_EQ((*vm)->ConsoleTail(), "");
}

}  // namespace
}  // namespace kata_cc::shim
