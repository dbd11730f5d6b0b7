// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/report.h"

#include <algorithm>

namespace kata_cc::snp {
namespace {

enum : std::size_t {
  kVersion = 0x000,
  kGuestSvn = 0x004,
  kPolicy = 0x008,
  kFamilyId = 0x010,
  kImageId = 0x020,
  kVmpl = 0x030,
  kSignatureAlgorithm = 0x034,
  kCurrentTcb = 0x038,
  kPlatformInfo = 0x040,
  kKeyInfo = 0x048,
  kReportData = 0x050,
  kMeasurement = 0x090,
  kHostData = 0x0c0,
  kIdKeyDigest = 0x0e0,
  kAuthorKeyDigest = 0x110,
  kReportId = 0x140,
  kReportIdMa = 0x160,
  kReportedTcb = 0x180,
  kCpuId = 0x188,
  kChipId = 0x1a0,
  kCommittedTcb = 0x1e0,
  kCurrentVersion = 0x1e8,  // Build, minor, major.
  kCommittedVersion = 0x1ec,
  kLaunchTcb = 0x1f0,
  kLaunchMitVector = 0x1f8,
  kCurrentMitVector = 0x200,
  kSignatureR = kSignedSize,
  kSignatureS = kSignatureR + kScalarSize,
};

template <std::size_t kSize>
void Get(ByteView bytes, std::size_t offset, ByteArray<kSize>& out) {
  const ByteView field = bytes.subspan(offset, kSize);
  std::copy(field.begin(), field.end(), out.begin());
}

template <std::size_t kSize>
void Put(ByteArray<kReportSize>& bytes, std::size_t offset, const ByteArray<kSize>& field) {
  std::copy(field.begin(), field.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
}

FirmwareVersion GetVersion(ByteView bytes, std::size_t offset) {
  return {bytes[offset + 2], bytes[offset + 1], bytes[offset]};
}

void PutVersion(ByteArray<kReportSize>& bytes, std::size_t offset, const FirmwareVersion& version) {
  bytes[offset] = version.build;
  bytes[offset + 1] = version.minor;
  bytes[offset + 2] = version.major;
}

// A report of version 2 does not say which CPU it is from; a Turin's chip ID is eight bytes long.
TcbLayout LayoutOf(const Report& report) {
  if (report.version >= 3) {
    const Product product = report.product();
    return product == Product::kTurin || product == Product::kVenice ? TcbLayout::kTurin
                                                                     : TcbLayout::kMilan;
  }
  const auto zero = [](std::uint8_t byte) { return byte == 0; };
  const bool any = !std::all_of(report.chip_id.begin(), report.chip_id.end(), zero);
  const bool short_id = std::all_of(report.chip_id.begin() + 8, report.chip_id.end(), zero);
  return any && short_id ? TcbLayout::kTurin : TcbLayout::kMilan;
}

}  // namespace

Result<Report> ParseReport(ByteView bytes) {
  if (bytes.size() != kReportSize) {
    return Error(Code::kInvalidArgument, "report must be 1184 bytes");
  }
  Report report;
  report.version = LoadLe<std::uint32_t>(bytes, kVersion);
  report.guest_svn = LoadLe<std::uint32_t>(bytes, kGuestSvn);
  report.policy.bits = LoadLe<std::uint64_t>(bytes, kPolicy);
  Get(bytes, kFamilyId, report.family_id);
  Get(bytes, kImageId, report.image_id);
  report.vmpl = LoadLe<std::uint32_t>(bytes, kVmpl);
  report.signature_algorithm = LoadLe<std::uint32_t>(bytes, kSignatureAlgorithm);
  report.platform_info.bits = LoadLe<std::uint64_t>(bytes, kPlatformInfo);
  report.key_info.bits = LoadLe<std::uint32_t>(bytes, kKeyInfo);
  Get(bytes, kReportData, report.report_data);
  Get(bytes, kMeasurement, report.measurement);
  Get(bytes, kHostData, report.host_data);
  Get(bytes, kIdKeyDigest, report.id_key_digest);
  Get(bytes, kAuthorKeyDigest, report.author_key_digest);
  Get(bytes, kReportId, report.report_id);
  Get(bytes, kReportIdMa, report.report_id_ma);
  Get(bytes, kChipId, report.chip_id);
  if (report.version >= 3) {
    report.cpuid = CpuId{bytes[kCpuId], bytes[kCpuId + 1], bytes[kCpuId + 2]};
  }
  const TcbLayout layout = LayoutOf(report);
  const auto tcb = [&](std::size_t offset) {
    Tcb value{{}, layout};
    Get(bytes, offset, value.raw);
    return value;
  };
  report.current_tcb = tcb(kCurrentTcb);
  report.reported_tcb = tcb(kReportedTcb);
  report.committed_tcb = tcb(kCommittedTcb);
  report.launch_tcb = tcb(kLaunchTcb);
  report.current_version = GetVersion(bytes, kCurrentVersion);
  report.committed_version = GetVersion(bytes, kCommittedVersion);
  if (report.version >= 5) {
    report.launch_mit_vector = LoadLe<std::uint64_t>(bytes, kLaunchMitVector);
    report.current_mit_vector = LoadLe<std::uint64_t>(bytes, kCurrentMitVector);
  }
  Get(bytes, kSignatureR, report.signature_r);
  Get(bytes, kSignatureS, report.signature_s);
  return report;
}

ByteArray<kReportSize> EncodeReport(const Report& report) {
  ByteArray<kReportSize> bytes{};
  StoreLe(bytes, kVersion, report.version);
  StoreLe(bytes, kGuestSvn, report.guest_svn);
  StoreLe(bytes, kPolicy, report.policy.bits);
  Put(bytes, kFamilyId, report.family_id);
  Put(bytes, kImageId, report.image_id);
  StoreLe(bytes, kVmpl, report.vmpl);
  StoreLe(bytes, kSignatureAlgorithm, report.signature_algorithm);
  Put(bytes, kCurrentTcb, report.current_tcb.raw);
  StoreLe(bytes, kPlatformInfo, report.platform_info.bits);
  StoreLe(bytes, kKeyInfo, report.key_info.bits);
  Put(bytes, kReportData, report.report_data);
  Put(bytes, kMeasurement, report.measurement);
  Put(bytes, kHostData, report.host_data);
  Put(bytes, kIdKeyDigest, report.id_key_digest);
  Put(bytes, kAuthorKeyDigest, report.author_key_digest);
  Put(bytes, kReportId, report.report_id);
  Put(bytes, kReportIdMa, report.report_id_ma);
  Put(bytes, kReportedTcb, report.reported_tcb.raw);
  if (report.cpuid) {
    Put(bytes, kCpuId,
        ByteArray<3>{report.cpuid->family, report.cpuid->model, report.cpuid->stepping});
  }
  Put(bytes, kChipId, report.chip_id);
  Put(bytes, kCommittedTcb, report.committed_tcb.raw);
  PutVersion(bytes, kCurrentVersion, report.current_version);
  PutVersion(bytes, kCommittedVersion, report.committed_version);
  Put(bytes, kLaunchTcb, report.launch_tcb.raw);
  StoreLe(bytes, kLaunchMitVector, report.launch_mit_vector.value_or(0));
  StoreLe(bytes, kCurrentMitVector, report.current_mit_vector.value_or(0));
  Put(bytes, kSignatureR, report.signature_r);
  Put(bytes, kSignatureS, report.signature_s);
  return bytes;
}

}  // namespace kata_cc::snp
