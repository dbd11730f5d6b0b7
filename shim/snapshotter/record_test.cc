// SPDX-License-Identifier: Apache-2.0
#include "shim/snapshotter/record.h"

#include <gtest/gtest.h>

namespace kata_cc::snapshotter {
namespace {

Record Sample() {
  Record record;
  record.id = 7;
  record.name = "k8s.io/3/sha256:ab";
  record.kind = Kind::kCommitted;
  record.labels = {{"a", "b"}};
  record.diff_id = std::string(64, 'd');
  record.use = DiskUse{4096, 2};
  return record;
}

TEST(RecordTest, KeepsEveryField) {
  const auto parsed = ParseRecord(EncodeRecord(Sample()));
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(EncodeRecord(*parsed), EncodeRecord(Sample()));
  EXPECT_EQ(parsed->use->bytes, 4096);
}

TEST(RecordTest, AnyOneFieldThatIsMissingOrWrongIsDamage) {
  const std::string text = EncodeRecord(Sample());
  for (const char* field : {"format", "id", "name", "parent", "kind", "created_ns", "updated_ns",
                            "labels", "namespace", "chain_id", "diff_id", "bytes"}) {
    std::string broken = text;
    const std::size_t at = broken.find("\"" + std::string(field) + "\"");
    ASSERT_NE(at, std::string::npos) << field;
    broken[at + 1] = '_';
    const auto parsed = ParseRecord(broken);
    ASSERT_FALSE(parsed) << field;
    EXPECT_EQ(parsed.error().code(), Code::kDataLoss);
  }
}

TEST(RecordTest, ADiffIdThatIsNoDigestIsDamage) {
  Record record = Sample();
  for (const std::string& bad :
       {std::string("../../etc/passwd"), std::string(64, 'D'), std::string(63, 'd')}) {
    record.diff_id = bad;
    EXPECT_FALSE(ParseRecord(EncodeRecord(record))) << bad;
  }
}

TEST(RecordTest, EveryCutOfARecordIsDamage) {
  const std::string text = EncodeRecord(Sample());
  for (std::size_t size = 0; size + 2 < text.size(); ++size)
    EXPECT_FALSE(ParseRecord(std::string_view(text).substr(0, size))) << size;
}

}  // namespace
}  // namespace kata_cc::snapshotter
