// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/sev_guest.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <thread>
#include <utility>

#include "base/retry.h"
#include "base/unique_fd.h"

namespace kata_cc::agent {
namespace {

using Call = SevGuestDevice::Call;
using Request = SevGuestDevice::ExtendedRequest;

constexpr unsigned long kGetExtendedReport = 0xC0205302;  // SNP_GET_EXT_REPORT
constexpr std::size_t kPage = 4096;
constexpr int kAttempts = 30;
constexpr std::size_t kReportOffset = 32;  // In the response: status, size, reserved bytes.

class Device : public SevGuestDevice {
 public:
  explicit Device(UniqueFd fd) : fd_(std::move(fd)) {}
  int GetExtendedReport(Call* call) override {
    return RetryOnEintr([&] { return ::ioctl(fd_.get(), kGetExtendedReport, call); }) == 0 ? 0
                                                                                           : errno;
  }
  void Pause() override { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }

 private:
  const UniqueFd fd_;
};

std::uint64_t Address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

Error Failed(int error_number, std::uint64_t exit_info) {
  return ErrnoError(error_number, "SNP_GET_EXT_REPORT: firmware error " +
                                      std::to_string(exit_info & 0xffffffff) + ", host error " +
                                      std::to_string(exit_info >> 32));
}

class SevGuest : public Attester {
 public:
  explicit SevGuest(std::unique_ptr<SevGuestDevice> device) : device_(std::move(device)) {}
  std::string_view name() const override { return "/dev/sev-guest"; }

 private:
  // Asks without room for certificates first: the host says how much it wants.
  Result<Raw> Fetch(const ReportData& report_data) override {
    const std::lock_guard lock(mutex_);
    Bytes certs;
    for (int attempt = 1; attempt <= kAttempts; ++attempt) {
      Request request = {};
      std::copy(report_data.begin(), report_data.end(), request.user_data);
      request.certs_length = static_cast<std::uint32_t>(certs.size());
      request.certs_address = certs.empty() ? 0 : Address(certs.data());
      Bytes response(SevGuestDevice::kResponseSize);
      Call call;
      call.request = Address(&request);
      call.response = Address(response.data());
      const int error_number = device_->GetExtendedReport(&call);
      const auto host_error = static_cast<std::uint32_t>(call.exit_info >> 32);
      if (error_number == 0) return Unpack(response, std::move(certs));
      if (host_error == SevGuestDevice::kInvalidLength) {
        if (!certs.empty()) return Error(Code::kUnavailable, "the host changed its certificates");
        if (request.certs_length == 0 || request.certs_length > snp::kMaxCertTableSize) {
          return Error(Code::kResourceExhausted, "the host has too many bytes of certificates");
        }
        certs.resize((request.certs_length + kPage - 1) / kPage * kPage);
      } else if (host_error == SevGuestDevice::kBusy || error_number == EAGAIN ||
                 error_number == EBUSY) {
        device_->Pause();
      } else {
        return Failed(error_number, call.exit_info);
      }
    }
    return Error(Code::kUnavailable, "the host is busy");
  }

  static Result<Raw> Unpack(ByteView response, Bytes certs) {
    const auto status = LoadLe<std::uint32_t>(response, 0);
    const auto size = LoadLe<std::uint32_t>(response, 4);
    if (status != 0) {
      return Error(Code::kUnavailable, "the firmware's status is " + std::to_string(status));
    }
    if (size != snp::kReportSize) return Error(Code::kDataLoss, "the report has a wrong size");
    const ByteView report = response.subspan(kReportOffset, size);
    return Raw{Bytes(report.begin(), report.end()), std::move(certs)};
  }

  const std::unique_ptr<SevGuestDevice> device_;
  std::mutex mutex_;  // The firmware numbers the messages: one at a time.
};

}  // namespace

Result<std::unique_ptr<SevGuestDevice>> OpenSevGuest(const std::string& path) {
  UniqueFd fd = TRY(OpenFile(path, O_RDWR));
  return std::unique_ptr<SevGuestDevice>(std::make_unique<Device>(std::move(fd)));
}

std::unique_ptr<Attester> SevGuestAttester(std::unique_ptr<SevGuestDevice> device) {
  return std::make_unique<SevGuest>(std::move(device));
}

}  // namespace kata_cc::agent
