// SPDX-License-Identifier: Apache-2.0
// Firmware images, whose tables may lie. The input is what the image ends with.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "guest-image/measure/launch_digest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kata_cc;
  constexpr std::size_t kPage = 4096;
  if (size == 0) return 0;
  const ByteView tail(data + 1, size - 1);
  Bytes image((tail.size() + kPage - 1) / kPage * kPage);
  std::copy(tail.begin(), tail.end(), image.end() - static_cast<std::ptrdiff_t>(tail.size()));
  measure::LaunchInputs inputs;
  inputs.ovmf = image;
  inputs.vcpus = 2;
  switch (data[0] % 4) {
    case 0:
      inputs.kernel = measure::HashKernel(tail, {}, "");
      break;
    case 1:
      inputs.mode = measure::Mode::kSnpSvsm;
      inputs.svsm = image;
      break;
    case 2:
      inputs.mode = measure::Mode::kSevEs;
      break;
    default:
      inputs.vmm = measure::Vmm::kEc2;
  }
  const auto digest = measure::LaunchDigest(inputs);
  if (digest && digest->size() != 48 && digest->size() != 32) __builtin_trap();
  return 0;
}
