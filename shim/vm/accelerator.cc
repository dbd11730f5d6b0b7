// SPDX-License-Identifier: Apache-2.0
#include "shim/vm/accelerator.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <fstream>
#include <sstream>

namespace kata_cc::shim {
namespace {

bool CpuVirtualizes(const std::string& cpuinfo) {
  std::ifstream file(cpuinfo);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (word == "svm" || word == "vmx") return true;
    return false;  // All CPUs have the first one's flags.
  }
  return false;
}

bool KvmAnswers(const std::string& path) {
  const Result<UniqueFd> kvm = OpenFile(path, O_RDWR);
  return kvm.has_value() && ::ioctl(kvm->get(), KVM_GET_API_VERSION, 0) == KVM_API_VERSION;
}

}  // namespace

Accelerator ProbeAccelerator(const AcceleratorPaths& paths) {
  return CpuVirtualizes(paths.cpuinfo) && KvmAnswers(paths.kvm) ? Accelerator::kKvm
                                                                : Accelerator::kTcg;
}

}  // namespace kata_cc::shim
