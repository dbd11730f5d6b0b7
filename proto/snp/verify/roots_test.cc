// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "proto/snp/verify/amd_roots.h"

namespace kata_cc::snp {
namespace {

TEST(AmdRootsTest, OneSelfSignedRootAProduct) {
  const Result<std::vector<Cert>> roots = AmdRoots();
  ASSERT_TRUE(roots);
  ASSERT_EQ(roots->size(), 3U);
  const char* const names[] = {"ARK-Milan", "ARK-Genoa", "ARK-Turin"};
  for (std::size_t i = 0; i < roots->size(); ++i) {
    const Cert& root = (*roots)[i];
    EXPECT_EQ(root.common_name(), names[i]);
    EXPECT_TRUE(root.SignedBy(root));
    EXPECT_TRUE(root.is_ca());
    EXPECT_FALSE(root.ValidAt(0));
    EXPECT_FALSE(root.SignedBy((*roots)[(i + 1) % 3]));
  }
}

TEST(CertTest, EveryTruncationOfACertificateIsRefused) {
  const Bytes der = AmdRoots()->front().Der();
  ASSERT_TRUE(Cert::Load(der));
  for (std::size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(Cert::Load(ByteView(der).first(size))) << size;
  }
  Bytes longer = der;
  longer.push_back(0);
  EXPECT_FALSE(Cert::Load(longer));
  EXPECT_FALSE(Crl::Load(der));
}

}  // namespace
}  // namespace kata_cc::snp
