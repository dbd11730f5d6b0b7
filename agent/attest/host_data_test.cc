// SPDX-License-Identifier: Apache-2.0
#include "agent/attest/host_data.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/attest/sha2.h"
#include "base/bytes.h"
#include "base/encoding.h"

namespace kata_cc::agent {
namespace {

TEST(HostData, NoTeeBindsNothing) {
  const auto source = FixedHostData(std::nullopt);
  EXPECT_TRUE(CheckHostData(*source, Sha256("policy"), "policy"));
}

TEST(HostData, MustBeTheDigest) {
  HostData host_data = {};
  const std::string digest = Sha256("policy");
  std::copy(digest.begin(), digest.end(), host_data.begin());
  const auto source = FixedHostData(host_data);
  EXPECT_TRUE(CheckHostData(*source, digest, "policy"));
  const auto other = CheckHostData(*source, Sha256("policy "), "SetPolicyRequest");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(other.error().message().starts_with("SetPolicyRequest: "));
}

TEST(HostData, LongerDigestsAreCutAndNoDigestNeverMatches) {
  HostData host_data = {};
  const std::string digest = Sha512("document");
  std::copy_n(digest.begin(), host_data.size(), host_data.begin());
  EXPECT_TRUE(CheckHostData(*FixedHostData(host_data), digest, "initdata"));
  EXPECT_FALSE(CheckHostData(*FixedHostData(HostData{}), "", "initdata"));
}

TEST(HostData, ParsesSixtyFourHexDigits) {
  EXPECT_TRUE(ParseHostData(std::string(64, '0')));
  EXPECT_FALSE(ParseHostData(std::string(62, '0')));
  EXPECT_FALSE(ParseHostData(std::string(64, 'g')));
}

TEST(Sha2, AgreesWithFips180Examples) {
  EXPECT_EQ(HexEncode(AsBytes(Sha256("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexEncode(AsBytes(Sha384("abc"))),
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
            "8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(HexEncode(AsBytes(Sha512("abc"))),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

}  // namespace
}  // namespace kata_cc::agent
