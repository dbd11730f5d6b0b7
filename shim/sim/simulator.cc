// SPDX-License-Identifier: Apache-2.0
#include "shim/sim/simulator.h"

#include <openssl/rand.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "base/file.h"
#include "base/log.h"
#include "base/retry.h"
#include "guest-image/measure/cpu.h"
#include "guest-image/measure/launch_digest.h"
#include "guest-image/measure/stand_in.h"
#include "proto/snp/sim/wire.h"

namespace kata_cc::shim {
namespace {

namespace sim = snp::sim;

constexpr std::size_t kMaxImage = std::size_t{1} << 30;

// False: the stream ended before the first byte.
Result<bool> ReadAll(int fd, std::span<std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        RetryOnEintr([&] { return ::read(fd, bytes.data() + done, bytes.size() - done); });
    if (n < 0) return ErrnoError(errno, "simulator: read");
    if (n == 0 && done == 0) return false;
    if (n == 0) return Error(Code::kDataLoss, "simulator: a request broke off");
    done += static_cast<std::size_t>(n);
  }
  return true;
}

Result<void> WriteAll(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n =
        RetryOnEintr([&] { return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (n < 0) return ErrnoError(errno, "simulator: write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Result<sim::Launch> MeasureSimLaunch(const SimLaunch& launch) {
  const Bytes firmware = launch.firmware.empty() ? measure::StandInFirmware()
                                                 : TRY(ReadFile(launch.firmware, kMaxImage));
  const Bytes kernel = TRY(ReadFile(launch.kernel, kMaxImage));
  const Bytes initrd = TRY(ReadFile(launch.initrd, kMaxImage));
  measure::LaunchInputs inputs;
  inputs.vcpus = launch.vcpus;
  inputs.cpu_signature = TRY(measure::CpuSignature("EPYC-v4"));  // As an SNP launch has it.
  inputs.ovmf = firmware;
  inputs.kernel = measure::HashKernel(kernel, initrd, launch.command_line);
  const Bytes digest = TRY_CONTEXT(measure::LaunchDigest(inputs), "simulator");
  sim::Launch out;
  std::copy(digest.begin(), digest.end(), out.measurement.begin());
  out.host_data = launch.host_data;
  out.policy = launch.policy;
  if (RAND_bytes(out.report_id.data(), static_cast<int>(out.report_id.size())) != 1) {
    return Error(Code::kInternal, "simulator: no random bytes");
  }
  return out;
}

Simulator::Simulator(sim::Authority authority, const sim::Launch& launch)
    : authority_(std::move(authority)), launch_(launch) {}

Simulator::~Simulator() {
  if (!thread_.joinable()) return;
  ::shutdown(stream_.get(), SHUT_RDWR);
  thread_.join();
}

void Simulator::Start(UniqueFd stream) {
  Log(LogLevel::kWarn,
      "THE TEE OF THIS VM IS SIMULATED: the host can read all of it, and its reports are signed by "
      "a test key");
  stream_ = std::move(stream);
  thread_ = std::thread([this] {
    const Result<void> served = Serve(stream_.get());
    if (!served) {
      Log(LogLevel::kWarn, "simulator ended", {{field::kError, served.error().message()}});
    }
  });
}

Result<void> Simulator::Serve(int fd) const {
  const Bytes certs = snp::EncodeCertTable(authority_.Certificates());
  snp::ByteArray<sim::kRequestSize> bytes{};
  while (TRY(ReadAll(fd, bytes))) {
    const sim::Request request = TRY(sim::ParseRequest(bytes));
    const auto report = authority_.Sign(launch_, request.report_data);
    if (!report) {
      const std::string& why = report.error().message();
      TRY(WriteAll(fd, sim::EncodeResponse(request.sequence, 1, AsBytes(why))));
      continue;
    }
    Bytes payload(report->size() + certs.size());
    std::copy(certs.begin(), certs.end(),
              std::copy(report->begin(), report->end(), payload.begin()));
    TRY(WriteAll(fd, sim::EncodeResponse(request.sequence, 0, payload)));
  }
  return {};
}

}  // namespace kata_cc::shim
