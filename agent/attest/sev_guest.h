// SPDX-License-Identifier: Apache-2.0
// Reports by the device /dev/sev-guest: Linux, Documentation/virt/coco/sev-guest.rst, request
// SNP_GET_EXT_REPORT. Host-supplied certificates come along where the host has some.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/attest/attester.h"
#include "base/result.h"

namespace kata_cc::agent {

// The one system call. Returns 0 or an errno.
class SevGuestDevice {
 public:
  // struct snp_guest_request_ioctl.
  struct Call {
    std::uint8_t msg_version = 1;
    std::uint64_t request = 0;
    std::uint64_t response = 0;
    std::uint64_t exit_info = 0;  // Low half: the firmware's error; high half: the host's.
  };
  static_assert(sizeof(Call) == 32);

  // struct snp_ext_report_req.
  struct ExtendedRequest {
    std::uint8_t user_data[64];
    std::uint32_t vmpl;
    std::uint8_t reserved[28];
    std::uint64_t certs_address;
    std::uint32_t certs_length;
    std::uint32_t padding;
  };
  static_assert(sizeof(ExtendedRequest) == 112);

  static constexpr std::size_t kResponseSize = 4000;
  static constexpr std::uint32_t kInvalidLength = 1;  // The host's errors.
  static constexpr std::uint32_t kBusy = 2;

  virtual ~SevGuestDevice() = default;
  virtual int GetExtendedReport(Call* call) = 0;
  virtual void Pause() = 0;  // Before a busy host is asked again.
};

Result<std::unique_ptr<SevGuestDevice>> OpenSevGuest(const std::string& path);
std::unique_ptr<Attester> SevGuestAttester(std::unique_ptr<SevGuestDevice> device);

}  // namespace kata_cc::agent
