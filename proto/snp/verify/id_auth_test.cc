// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/verify/id_auth.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>

namespace kata_cc::snp {
namespace {

using Names = std::vector<std::string>;

PKey NewKey(const char* curve) {
  return PKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve));
}

TEST(IdAuthTest, WhatIsSignedVerifies) {
  const PKey id_key = NewKey("P-384");
  const PKey author_key = NewKey("P-384");
  IdBlock block;
  block.launch_digest.fill(7);
  const Bytes no_author = [&] {
    const auto page = EncodeIdAuth(*SignIdBlock(block, id_key.get(), nullptr));
    return Bytes(page.begin(), page.end());
  }();
  EXPECT_EQ(VerifyIdBlock(EncodeIdBlock(block), no_author), Names{});
  const auto page = EncodeIdAuth(*SignIdBlock(block, id_key.get(), author_key.get()));
  EXPECT_EQ(VerifyIdBlock(EncodeIdBlock(block), page), Names{});
  block.guest_svn = 1;
  EXPECT_EQ(VerifyIdBlock(EncodeIdBlock(block), page), Names{"id_block_sig"});
}

TEST(IdAuthTest, AnotherCurveIsRefused) {
  EXPECT_FALSE(SignIdBlock({}, NewKey("P-256").get(), nullptr));
  EXPECT_FALSE(SignIdBlock({}, NewKey("P-384").get(), NewKey("P-521").get()));
}

TEST(IdAuthTest, APointOffTheCurveIsRefused) {
  const PKey key = NewKey("P-384");
  IdBlock block;
  IdAuth auth = *SignIdBlock(block, key.get(), nullptr);
  auth.id_key[10] ^= 1;
  EXPECT_EQ(VerifyIdBlock(EncodeIdBlock(block), EncodeIdAuth(auth)), Names{"id_block_sig"});
}

}  // namespace
}  // namespace kata_cc::snp
