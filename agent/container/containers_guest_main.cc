// SPDX-License-Identifier: Apache-2.0
// The tests of containers in a guest: PID 1 of a machine that boots for them, with all controllers,
// device mapper and virtio disks. tests/e2e/agent_guest_test.sh starts it.
#include <cstdio>

#include "agent/boot/early_boot.h"
#include "agent/boot/kernel_modules.h"
#include "agent/container/containers_fixture.h"

namespace kata_cc::agent {

const std::string& BusyboxDevice() {
  static const std::string kSerial = "busybox";
  return kSerial;
}

namespace {

std::string Prepare() {
  if (const auto mounted = MountFileSystems(); !mounted) return mounted.error().message();
  const auto modules = KernelModules::Open("/lib/modules");
  if (!modules) return modules.error().message();
  if (const auto loaded = (*modules)->Need(""); !loaded) return loaded.error().message();
  if (const auto up = BringLoopbackUp(); !up) return up.error().message();
  return {};
}

}  // namespace
}  // namespace kata_cc::agent

int main(int argc, char** argv) {
  using namespace kata_cc::agent;
  testing::InitGoogleTest(&argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  const std::string wrong = Prepare();
  if (wrong.empty()) {
    std::printf("guest tests: exit %d\n", RUN_ALL_TESTS());
  } else {
    std::printf("guest tests: cannot boot: %s\n", wrong.c_str());
  }
  std::fflush(stdout);
  PowerOff("the tests are done");
}
