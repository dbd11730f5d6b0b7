// SPDX-License-Identifier: Apache-2.0
// Which accelerator QEMU can use on this machine.
#pragma once

#include <string>

#include "shim/vm/vm.h"

namespace kata_cc::shim {

struct AcceleratorPaths {
  std::string cpuinfo = "/proc/cpuinfo";
  std::string kvm = "/dev/kvm";
};

// kKvm if the CPU has svm or vmx and the KVM device answers with the one API version there is; else
// kTcg. The device alone proves nothing: some paravirtual KVMs only emulate instructions, and
// show no CPU flag. Any thread.
Accelerator ProbeAccelerator(const AcceleratorPaths& paths = {});

}  // namespace kata_cc::shim
