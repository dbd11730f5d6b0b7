// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/host_data.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "base/encoding.h"

namespace kata_cc::agent {
namespace {

class Fixed : public HostDataSource {
 public:
  explicit Fixed(std::optional<HostData> host_data) : host_data_(host_data) {}
  Result<std::optional<HostData>> Read() override { return host_data_; }

 private:
  const std::optional<HostData> host_data_;
};

class Reported : public HostDataSource {
 public:
  explicit Reported(Attester& attester) : attester_(attester) {}
  // Of a report that is about random data, so that no old one can stand for it.
  Result<std::optional<HostData>> Read() override {
    ReportData nonce = {};
    if (::getentropy(nonce.data(), nonce.size()) != 0) return ErrnoError(errno, "getentropy");
    const GuestReport report = TRY_CONTEXT(attester_.GetReport(nonce), "host data");
    return std::optional<HostData>(TRY(snp::ParseReport(report.report)).host_data);
  }

 private:
  Attester& attester_;
};

}  // namespace

std::unique_ptr<HostDataSource> ReportedHostData(Attester* attester) {
  if (attester == nullptr) return FixedHostData(std::nullopt);
  return std::make_unique<Reported>(*attester);
}

std::unique_ptr<HostDataSource> FixedHostData(std::optional<HostData> host_data) {
  return std::make_unique<Fixed>(host_data);
}

Result<HostData> ParseHostData(std::string_view hex) {
  HostData out = {};
  const auto bytes = HexDecode(hex);
  if (!bytes || bytes->size() != out.size()) {
    return Error(Code::kInvalidArgument, "host data: not 64 hex digits");
  }
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

Result<void> CheckHostData(HostDataSource& source, std::string_view digest, std::string_view what) {
  const std::optional<HostData> host_data = TRY(source.Read());
  if (!host_data) return {};
  HostData expected = {};
  const std::size_t length = std::min(digest.size(), expected.size());
  std::transform(digest.begin(), digest.begin() + static_cast<std::ptrdiff_t>(length),
                 expected.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  if (length == 0 || expected != *host_data) {
    return Error(Code::kInvalidArgument,
                 std::string(what) + ": its digest is not the host data of this guest's report");
  }
  return {};
}

}  // namespace kata_cc::agent
