// SPDX-License-Identifier: Apache-2.0
// The tests of containers on a host: in a mount namespace of their own, on a loop device.
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#include <cstdio>
#include <optional>

#include "agent/container/containers_fixture.h"
#include "base/process.h"

namespace kata_cc::agent {
namespace {

// A read-only block device with a busybox root file system.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& dir) {
    for (const char* sub : {"bin", "dev", "etc", "proc", "sys", "tmp"})
      fs::create_directories(dir + "/image/" + sub);
    fs::copy_file("/bin/busybox", dir + "/image/bin/busybox");
    for (const char* applet :
         {"cat",   "dd",    "echo", "head", "hostname", "id",    "kill", "ls",
          "mknod", "mount", "ps",   "seq",  "sh",       "sleep", "stty", "test",
          "true",  "tty",   "yes",  "grep", "readlink", "wc"})
      fs::create_symlink("busybox", dir + "/image/bin/" + applet);
    auto child = ChildProcess::Spawn(
        {"gensquashfs", "--quiet", "--pack-dir", dir + "/image", dir + "/image.squashfs"});
    if (!child || *child->Wait() != 0) return;
    const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
    const UniqueFd image(::open((dir + "/image.squashfs").c_str(), O_RDONLY | O_CLOEXEC));
    for (int attempt = 0; attempt < 100 && !loop_.valid(); ++attempt) {
      const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
      path_ = "/dev/loop" + std::to_string(number);
      UniqueFd loop(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
      loop_config config = {};
      config.fd = static_cast<unsigned>(image.get());
      config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
      if (::ioctl(loop.get(), LOOP_CONFIGURE, &config) == 0) loop_ = std::move(loop);
    }
  }
  const std::string& path() const { return path_; }
  bool valid() const { return loop_.valid(); }

 private:
  UniqueFd loop_;
  std::string path_;
};

std::string device;

}  // namespace

const std::string& BusyboxDevice() {
  return device;
}

namespace {

int RunOnHost() {
  // This process's own view: cgroup v2 alone where the OCI runtime looks for it.
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) != 0) {
    std::perror("needs root: mount namespace and cgroup2");
    return 1;
  }
  std::string dir = testing::TempDir() + "busybox-XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) return 1;
  int result = 1;
  {
    const LoopDevice loop(dir);
    device = loop.path();
    if (loop.valid()) {
      result = RUN_ALL_TESTS();
    } else {
      std::perror("needs gensquashfs, busybox and a loop device");
    }
  }
  fs::remove_all(dir);
  return result;
}

}  // namespace
}  // namespace kata_cc::agent

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  return testing::GTEST_FLAG(list_tests) ? RUN_ALL_TESTS() : kata_cc::agent::RunOnHost();
}
