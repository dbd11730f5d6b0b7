// SPDX-License-Identifier: Apache-2.0
#include "proto/snp/cert_table.h"

#include <gtest/gtest.h>

namespace kata_cc::snp {
namespace {

Bytes TwoEntries() {
  return EncodeCertTable(
      {{*CertTypeGuid("VCEK"), Bytes(10, 1)}, {*CertTypeGuid("ASK"), Bytes(5, 2)}});
}

TEST(CertTableTest, WhatWasEncodedIsParsed) {
  const Result<std::vector<CertTableEntry>> entries = ParseCertTable(TwoEntries());
  ASSERT_TRUE(entries);
  ASSERT_EQ(entries->size(), 2U);
  EXPECT_EQ(CertTypeName((*entries)[0].guid), "VCEK");
  EXPECT_EQ((*entries)[0].data, Bytes(10, 1));
  EXPECT_EQ(CertTypeName((*entries)[1].guid), "ASK");
  EXPECT_TRUE(ParseCertTable({})->empty());
}

TEST(CertTableTest, EveryTruncationIsRefused) {
  const Bytes table = TwoEntries();
  for (std::size_t size = 1; size < table.size(); ++size) {
    EXPECT_FALSE(ParseCertTable(ByteView(table).first(size))) << size;
  }
}

TEST(CertTableTest, LyingOffsetsAndLengthsAreRefused) {
  for (const std::uint32_t value : {0U, 71U, 88U, 0x7fffffffU, 0xffffffffU}) {
    Bytes table = TwoEntries();
    StoreLe(table, 16, value);
    EXPECT_FALSE(ParseCertTable(table)) << "offset " << value;
  }
  for (const std::uint32_t value : {16U, 0x7fffffffU, 0xffffffffU}) {
    Bytes table = TwoEntries();
    StoreLe(table, 20, value);
    EXPECT_FALSE(ParseCertTable(table)) << "length " << value;
  }
}

TEST(CertTableTest, ARepeatedEntryIsRefused) {
  Bytes table = TwoEntries();
  std::copy_n(table.begin(), 16, table.begin() + 24);
  EXPECT_FALSE(ParseCertTable(table));
}

TEST(CertTableTest, UnknownGuidsKeepTheirText) {
  const std::string text = "ecae0c0f-9502-43b1-afa2-0ae2e0d565b6";
  EXPECT_EQ(CertTypeName(*CertTypeGuid(text)), text);
  EXPECT_FALSE(CertTypeGuid("vcek"));
  EXPECT_FALSE(CertTypeGuid(""));
}

}  // namespace
}  // namespace kata_cc::snp
