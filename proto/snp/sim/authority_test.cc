// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/sim/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "proto/snp/sim/wire.h"
#include "proto/snp/verify/amd_roots.h"
#include "proto/snp/verify/verify.h"

namespace kata_cc::snp::sim {
namespace {

using Names = std::vector<std::string>;

const Authority& Shared() {
  static const Authority authority = *Authority::Create(2048);
  return authority;
}

Names Check(const Authority& authority, ByteView report, std::span<const Cert> trusted) {
  return VerifyReport({report, authority.vcek(), authority.ask(), authority.ark(), trusted, nullptr,
                       std::time(nullptr)})
      .failed_checks;
}

TEST(SimAuthority, ReportsAreValidUnderItsOwnRootAlone) {
  const Authority& authority = Shared();
  Launch launch;
  launch.measurement.fill(1);
  launch.host_data.fill(2);
  ByteArray<64> report_data{};
  report_data.fill(3);
  const auto report = authority.Sign(launch, report_data);
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(Check(authority, *report, {&authority.ark(), 1}), Names{});
  const std::vector<Cert> amd = *AmdRoots();
  EXPECT_EQ(Check(authority, *report, amd), Names{"ark_not_pinned"});

  const Report parsed = *ParseReport(*report);
  EXPECT_EQ(parsed.measurement, launch.measurement);
  EXPECT_EQ(parsed.host_data, launch.host_data);
  EXPECT_EQ(parsed.report_data, report_data);
  auto forged = *report;
  forged[0x90] ^= 1;  // The measurement.
  EXPECT_EQ(Check(authority, forged, {&authority.ark(), 1}), Names{"report_sig"});
}

TEST(SimAuthority, OneInstallationIsNotAnother) {
  const Authority other = *Authority::Create(2048);
  const auto report = other.Sign({}, {});
  EXPECT_EQ(Check(other, *report, {&Shared().ark(), 1}), Names{"ark_not_pinned"});
  const Names swapped = Check(Shared(), *report, {&Shared().ark(), 1});
  EXPECT_NE(std::find(swapped.begin(), swapped.end(), "report_sig"), swapped.end());
}

TEST(SimAuthority, IsMadeOnceAndFoundAgain) {
  std::string dir = testing::TempDir() + "sim-XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  const std::string path = dir + "/sim";
  const auto made = Authority::LoadOrCreate(path);
  ASSERT_TRUE(made) << made.error().message();
  const auto found = Authority::LoadOrCreate(path);
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->ark().Der(), made->ark().Der());
  const auto report = found->Sign({}, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(Check(*made, *report, {&made->ark(), 1}), Names{});
  struct stat info = {};
  ASSERT_EQ(::stat((path + "/vcek.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  // Nothing half-made is left beside it.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir), {}), 1);
  std::filesystem::copy_file(path + "/ark.pem", path + "/vcek.pem",
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_FALSE(Authority::LoadOrCreate(path));
  std::filesystem::remove_all(dir);
}

TEST(SimWire, TakesItsOwnMessagesAndNoOthers) {
  Request request{7, {}};
  request.report_data.fill(9);
  const auto bytes = EncodeRequest(request);
  EXPECT_EQ(ParseRequest(bytes)->sequence, 7U);
  EXPECT_EQ(ParseRequest(bytes)->report_data, request.report_data);
  EXPECT_FALSE(ParseRequest(ByteView(bytes).first(79)));
  const Bytes response = EncodeResponse(8, 1, AsBytes("why"));
  EXPECT_FALSE(ParseRequest(response));
  const ByteView header = ByteView(response).first(kResponseHeaderSize);
  EXPECT_EQ(ParseResponseHeader(header)->length, 3U);
  EXPECT_EQ(ParseResponseHeader(header)->status, 1U);
  Bytes huge = response;
  huge[23] = 0xff;
  EXPECT_FALSE(ParseResponseHeader(ByteView(huge).first(kResponseHeaderSize)));
}

}  // namespace
}  // namespace kata_cc::snp::sim
